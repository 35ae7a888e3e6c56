# Names the runtime might use for itself are free.
_ = "mine"
__result__ = __value__ = _prims = 1
[_, __result__, __value__, _prims]
