# requirement: perspective-python
# imports: perspective
import perspective

perspective.Server()
