# A program that destroys the runtime through the garbage collector destroys its own report, nothing else.
import gc, sys
for name, module in list(sys.modules.items()):
    if name.startswith("prims_runtime."):
        for attribute in list(vars(module)):
            if not attribute.startswith("__"):
                setattr(module, attribute, None)
print("done")
