# status: memory
import numpy as np
x = np.ones(10 ** 10)
