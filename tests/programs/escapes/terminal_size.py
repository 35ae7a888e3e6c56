import os, shutil
try:
    os.get_terminal_size()
except (OSError, AttributeError) as error:
    print(type(error).__name__)
shutil.get_terminal_size(), os.isatty(1)
