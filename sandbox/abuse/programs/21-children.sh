# status: output_limit
yes >&2 & yes & yes & wait
