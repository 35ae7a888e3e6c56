# requirement: xmltodict
# imports: xmltodict
import xmltodict

assert xmltodict.parse("<a><b c='1'>x</b></a>") == {"a": {"b": {"@c": "1", "#text": "x"}}}
