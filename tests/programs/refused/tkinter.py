# Nor windows: webbrowser finds no browser, turtle and tkinter are not there.
import webbrowser
print(webbrowser.open("http://example.org"))
try:
    import turtle
except ImportError as error:
    print(error)
import tkinter
