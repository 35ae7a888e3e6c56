# Identifiers, text, files and output in any script.
größe = "日本語 🐍 עברית"
open("файл.txt", "w", encoding="utf-8").write(größe)
import os
print(größe, os.listdir())
größe, open("файл.txt").read() == größe, ascii(größe[:4]), len("🐍")
