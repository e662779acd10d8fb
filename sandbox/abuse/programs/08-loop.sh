# status: timeout
while :; do :; done
