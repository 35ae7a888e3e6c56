# limits: result=1k
# An error keeps its report.
raise ValueError("v" * 3000)
