# status: output_limit
yes
