# Garbage is collected, weak references die.
import gc, weakref
class Node: ...
a, b = Node(), Node()
a.other, b.other = b, a
reference, finalized = weakref.ref(a), []
weakref.finalize(b, finalized.append, "b")
cache = weakref.WeakValueDictionary(a=a)
del a, b
collected = gc.collect() >= 2
collected, reference(), finalized, len(cache), gc.isenabled()
