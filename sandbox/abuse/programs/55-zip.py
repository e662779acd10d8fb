import io
import zipfile
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    for i in range(16):
        z.writestr("part%d" % i, bytes(8 << 20))
try:
    zipfile.ZipFile(packed).extractall("/tmp/medgym-abuse")
except OSError as e:
    refused("%d KiB that are 128 MB" % (len(packed.getvalue()) >> 10), e.strerror)
else:
    breached("128 MB", "unpacked")
