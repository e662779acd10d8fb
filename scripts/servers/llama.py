"""Starts llama.cpp's server; ends when standard input does."""

import os
import sys

import xllamacpp

model, name, port, context, slots = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path = model
params.model_alias = {name}
params.port = int(port)
params.n_parallel = int(slots)
params.n_ctx = int(context) * int(slots)
params.n_gpu_layers = 0
params.warmup = False
params.cache_ram_mib = 0
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("build", xllamacpp.BUILD_INFO, flush=True)
sys.stdin.read()
os._exit(0)
