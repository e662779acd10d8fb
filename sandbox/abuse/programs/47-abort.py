# status: killed
os.abort()
