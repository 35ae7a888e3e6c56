try:
    b"abc\xff".decode()
except UnicodeDecodeError as error:
    print(error)
"\ud800".encode()
