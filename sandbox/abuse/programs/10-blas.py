# status: timeout
# wall: 500ms
import numpy as np
a = np.ones((1500, 1500))
while True:
    np.linalg.svd(a)
