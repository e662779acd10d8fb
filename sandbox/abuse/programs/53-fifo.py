# status: timeout
# wall: 500ms
import pandas
os.mkfifo("/session/data.csv")
pandas.read_csv("/session/data.csv")
