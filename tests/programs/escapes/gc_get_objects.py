# Objects found through the collector can be changed; the report comes.
import gc
changed = 0
for thing in gc.get_objects():
    if type(thing) is dict and thing is not globals():
        changed += 1
for function in [thing for thing in gc.get_referrers(gc) if callable(thing)]:
    function.__code__ = (lambda *args, **kwargs: None).__code__
gc.freeze(); gc.unfreeze(); gc.collect()
for generation in range(3):
    gc.collect(generation)
gc.set_threshold(1)
isinstance(changed, int)
