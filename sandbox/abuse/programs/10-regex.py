# status: timeout
# wall: 500ms
import re
re.match("(a+)+$", "a" * 60 + "b")
