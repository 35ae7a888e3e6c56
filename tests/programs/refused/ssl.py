# The ssl module is there with its names; contexts can be made, connections cannot.
import ssl
context = ssl.create_default_context()
print(context.verify_mode == ssl.CERT_REQUIRED, context.check_hostname)
try:
    ssl.get_server_certificate(("example.org", 443))
except OSError as error:
    print(type(error).__name__, error)
issubclass(ssl.SSLError, OSError), ssl.SSLCertVerificationError.__mro__[1].__name__
