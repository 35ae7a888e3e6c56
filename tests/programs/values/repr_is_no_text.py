class Wrong:
    def __repr__(self):
        return 5
Wrong()
