# XML: building, parsing, searching; a bomb of entities is refused or bounded, outside entities are not read.
import io, xml.etree.ElementTree as ET, xml.dom.minidom, xml.sax
root = ET.fromstring("<r xmlns:n='urn:n'><a k='1'>text</a><n:b/><a k='2'>ü&amp;</a></r>")
print([(a.get("k"), a.text) for a in root.findall("a")], root.find("{urn:n}b").tag)
ET.SubElement(root, "c").text = "<new>"
print(ET.tostring(root, encoding="unicode"))
print(xml.dom.minidom.parseString("<x><y/></x>").toprettyxml(indent=" ").split("\n")[1:3])
entity = "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"
try:
    print("text:", ET.fromstring(entity).text)
except ET.ParseError as error:
    print("refused:", error)
bomb = "<!DOCTYPE b [<!ENTITY a0 'aaaaaaaaaa'>" + "".join(f"<!ENTITY a{i} '{f'&a{i-1};' * 10}'>" for i in range(1, 10)) + "]><b>&a9;</b>"
try:
    ET.fromstring(bomb)
except ET.ParseError as error:
    print("refused:", str(error).split(":")[0])
try:
    ET.fromstring("<a><b></a>")
except ET.ParseError as error:
    print(error)
