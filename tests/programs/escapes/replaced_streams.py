# Streams replaced by objects of the program.
import io, sys
class Evil:
    def write(self, text): raise SystemExit(3)
    def flush(self): raise KeyboardInterrupt
    def __getattr__(self, name): raise MemoryError
print("kept")
sys.stdout = sys.stderr = sys.stdin = Evil()
1 / 0
