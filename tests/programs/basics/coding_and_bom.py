# -*- coding: latin-1 -*-
# A coding comment is of no effect on text, as with exec(str).
"ä" == "\xe4"
