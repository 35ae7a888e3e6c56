# requirement: urllib3
# imports: urllib3
import urllib3

assert urllib3.util.parse_url("https://u@example.org:8/x?y#z").port == 8
