raise ValueError("first line\n  second line\n\nfourth \x1b[31mred\x1b[0m \udcff end")
