package grounding

import "regexp"

// rule explains one kind of error. The first that fits is taken, so the particular
// stand before the general.
type rule struct {
	name    string
	types   string // exception types, separated by spaces; empty: any
	library string // whose code raised it; empty: any
	pattern string // found in the message; its named groups may stand in say as {name}
	say     string // also {near}, {files}, {instead} and {installed}: what Context knows
}

// statuses are types of ends that no exception tells of.
const (
	Timeout     = "timeout"
	Memory      = "memory"
	OutputLimit = "output_limit"
	Killed      = "killed"
)

// rules in groups by what went wrong.
var rules = compile([]rule{
	// How programs are stopped.
	{"timeout", Timeout, "", ``, "The program ran too long. Look for loops that never end and row-by-row work that a join, a merge or a vector operation can do; filter early, and try it on part of the data first."},
	{"memory-numpy", "MemoryError _ArrayMemoryError memory", "", `Unable to allocate (?P<size>[\d.]+ \w+) for an array with shape (?P<shape>\([^)]*\))`, "An array of shape {shape} needs {size}. Often a broadcast or a cross join makes it by accident: check the shapes, or work in parts."},
	{"memory", "MemoryError memory", "", ``, "The program needed more memory than it may have. Read only the columns and rows that you need (usecols, chunksize, a WHERE clause), drop what is no longer used, and avoid joins that multiply rows."},
	{"output", OutputLimit, "", ``, "The program printed more than is allowed and was stopped. Print a head(), a count or a summary in place of all rows."},
	{"killed-segfault", Killed, "", `SIGSEGV|SIGABRT|SIGBUS|signal (6|7|11)\b`, "Native code crashed: often very deep recursion, or wrong types handed to a compiled library. Try it on less data, or in another way."},
	{"killed", Killed, "", ``, "The program was ended by a signal before it was done. It may have signalled itself, or have been stopped for what it used."},

	// Syntax.
	{"indent", "IndentationError TabError", "", ``, "The indentation does not fit together. Use four spaces a level and no tabs; after a line that ends in a colon an indented block has to follow."},
	{"syntax-bracket", "SyntaxError", "", `'(?P<open>[(\[{])' was never closed`, "The bracket {open} that is opened on this line is never closed: look for its partner."},
	{"syntax-unmatched", "SyntaxError", "", `unmatched|does not match opening`, "A closing bracket has no partner of its kind: count the brackets on this line and above."},
	{"syntax-string", "SyntaxError", "", `unterminated`, "A string is not closed. Texts over several lines need triple quotes; a quote inside needs a backslash or the other kind of quote around it."},
	{"syntax-fstring", "SyntaxError", "", `f-string`, "An f-string holds an expression that cannot be read: within its braces use the other kind of quote and no backslash, and {{ }} for braces themselves."},
	{"syntax-assign", "SyntaxError", "", `cannot assign to|Maybe you meant '=='`, "A value is assigned to something that is no name. To compare, write == in place of =."},
	{"syntax-colon", "SyntaxError", "", `expected ':'`, "A colon is missing at the end of this line."},
	{"syntax-scope", "SyntaxError", "", `outside function|outside loop|not properly in loop`, "return, yield and await belong inside a function, break and continue inside a loop. At the top level of the program assign the result to a variable."},
	{"syntax-character", "SyntaxError", "", `invalid (non-printable )?character`, "There is a character that Python does not know, often a typographic quote, dash or space that was pasted: write plain ASCII ones."},
	{"syntax-print", "SyntaxError", "", `Missing parentheses`, "This is Python 3, where print is a function: write print(…)."},
	{"syntax", "SyntaxError", "", ``, "Python cannot read this line, or the one before it. Look for a missing comma, bracket, quote or colon, and for text that is no code, such as Markdown fences."},

	// Imports.
	{"module-own", "ModuleNotFoundError", "", `'(?P<module>[\w.]+)'; '\w+' is not a package`, "A file in the working folder has the same name as a package and hides it: rename or remove the file."},
	{"module", "ModuleNotFoundError", "", `No module named '(?P<module>[\w.]+)'`, "{module} is not installed here. {instead}"},
	{"import-name", "ImportError", "", `cannot import name '(?P<key>\w+)' from '(?P<module>[\w.]+)'`, "{module} has no {key} in the version that is installed: it may have moved or been renamed. print(dir({module})) shows what it has."},
	{"import-engine", "ImportError", "", `Missing optional dependency '(?P<module>[\w.-]+)'|Unable to find a usable engine|(?P<other>\w+) is required`, "A package that pandas needs for this is not installed. Choose another form of file, CSV, JSON or SQLite for instance, or another engine."},
	{"import", "ImportError", "", ``, "A part of the package cannot be loaded. Import the package itself first, and use what is installed."},

	// Names and attributes.
	{"unbound", "UnboundLocalError", "", `'(?P<name>\w+)'`, "{name} is assigned somewhere in this function, so it is local all through it, and is read before that. Hand it in as a parameter, or assign it on every path."},
	{"name", "NameError", "", `name '(?P<key>\w+)' is not defined`, "{key} is not defined at this point.{near} Each program starts anew: define and import again all that it uses."},
	{"none", "AttributeError TypeError", "", `'NoneType' object (has no attribute '(?P<key>\w+)'|is not (?P<what>\w+))`, "A value is None here, so nothing can be done with it. Often a function returned nothing, a search (re.match, fetchone, dict.get) found nothing, or a method that works in place was assigned. Look at the value before this line."},
	{"str-accessor", "AttributeError", "", `Can only use \.str accessor with string values`, "The column holds no text, so .str does not work on it. See its dtype; turn it into text with .astype(str) if that is what you want (missing values become 'nan')."},
	{"dt-accessor", "AttributeError", "", `Can only use \.dt accessor with datetimelike values`, "The column holds no dates yet. Turn it into dates first: pd.to_datetime(column, errors='coerce')."},
	{"cat-accessor", "AttributeError", "", `Can only use \.cat accessor`, "The column is not categorical: .astype('category') makes it so."},
	{"frame-removed", "AttributeError", "", `'(?P<kind>DataFrame|Series)' object has no attribute '(?P<key>append|iteritems|ix|as_matrix|get_value|lookup|mad|swaplevels)'`, "pandas has removed {key}. In place of append use pd.concat([a, b]), of iteritems items(), of ix loc or iloc, of as_matrix to_numpy()."},
	{"frame-attribute", "AttributeError", "", `'(?P<kind>DataFrame|Series|DataFrameGroupBy|SeriesGroupBy)' object has no attribute '(?P<key>[^']+)'`, "The {kind} has neither a column nor a method {key}.{near} Print its columns; a column whose name is no plain word needs square brackets."},
	{"module-attribute", "AttributeError", "", `module '(?P<module>[\w.]+)' has no attribute '(?P<key>\w+)'`, "{module} has no {key}: it is written otherwise, has been removed in this version, or lies in a submodule that has to be imported by its name."},
	{"array-attribute", "AttributeError", "", `'numpy\.ndarray' object has no attribute '(?P<key>\w+)'`, "This is a plain numpy array, which has no {key}; pandas objects may. Keep the Series or DataFrame, or wrap it: pd.Series(array)."},
	{"attribute", "AttributeError", "", `'(?P<kind>[\w.]+)' object has no attribute '(?P<key>\w+)'`, "An object of type {kind} has no {key}.{near} Print type(…) and dir(…) of it: it may be of another type than you think."},

	// Columns, keys and labels.
	{"columns-missing", "KeyError", "", `None of \[.*\] are in the \[(?P<axis>\w+)\]`, "None of these labels is in the {axis}. Print df.columns and df.index: names may differ in case, spaces or underscores, or be in the index."},
	{"columns-not-index", "KeyError", "", `\[(?P<key>[^\]]*)\] not (in index|found in axis)`, "The frame lacks {key}.{near} Print df.columns.tolist(); to drop a column say columns=…, since drop looks at the rows by default."},
	{"grouper", "KeyError", "", `Column\(s\) \[(?P<key>.*)\] do not exist|Column not found: (?P<other>.*)`, "There is no column {key}{other} to aggregate.{near} Print df.columns.tolist()."},
	{"merge-key", "KeyError", "pandas", `^['"]?(?P<key>[^'"]+)['"]?$`, "The frame has no column, index level or label {key}.{near} Print df.columns.tolist(). For a merge the key has to be in both frames: use left_on and right_on where the names differ, and reset_index() where it is in the index."},
	{"timestamp-key", "KeyError", "", `(Timestamp|datetime|Period)\(`, "The date is not in the index. A date has to be there exactly; to select a span use slices, or a mask such as df[df.date >= '2100-01-01']."},
	{"key", "KeyError", "", `^(?P<key>[\s\S]+)$`, "There is no key {key}.{near} Print the keys or columns that there are; dict.get(key) gives None in place of an error."},
	{"usecols", "ValueError", "", `Usecols do not match columns.*: \[(?P<key>.*)\]`, "The file has no columns {key}.{near} Read its head first: pd.read_csv(path, nrows=5)."},
	{"parse-dates-missing", "ValueError", "", `Missing column provided to 'parse_dates': '(?P<key>[^']*)'`, "The file has no column {key} to read as dates.{near} Read its head first."},
	{"position", "IndexError", "", `single positional indexer is out-of-bounds|positional indexers are out-of-bounds|index (?P<at>-?\d+) is out of bounds for axis (?P<axis>\d) with size (?P<size>\d+)`, "The position is beyond the end: there are fewer rows or elements than that, maybe none since a filter let nothing pass. Check len(…) or .empty first."},
	{"too-many-indices", "IndexError", "", `too many indices for array`, "The array has fewer dimensions than you index with: print its shape."},
	{"boolean-index", "IndexError", "", `boolean index did not match`, "The mask is not as long as what it selects from: make it from the very array or frame that it filters."},
	{"pop-empty", "IndexError", "", `pop from (an )?empty`, "The list is empty: check that it holds something before pop."},
	{"index", "IndexError", "", `index out of range|out of bounds`, "The position is beyond the end. Positions begin at 0; check len(…), and whether what came before found anything at all."},
	{"indexing", "IndexingError", "", ``, "Mask and frame do not fit together: their rows differ. Make the mask from the same frame, after its last filter or reset_index()."},
	{"invalid-index", "InvalidIndexError", "", ``, "Labels in the index or columns are there more than once, or no label at all was given. Make them unique: df.reset_index(drop=True), or df.loc[:, ~df.columns.duplicated()]."},

	// Merging, joining, reshaping.
	{"merge-common", "MergeError", "", `No common columns`, "The two frames have no column of the same name. Name the keys with left_on= and right_on=, or left_index=True and right_index=True."},
	{"merge-unique", "MergeError", "", `not (a )?(one-to|unique|many-to)`, "The keys are not unique where validate= says that they are. Look at the duplicates before you merge."},
	{"merge-types", "ValueError", "", `You are trying to merge on (?P<left>\S+) and (?P<right>\S+) columns(?: for key '(?P<key>[^']*)')?`, "The keys are {left} on one side and {right} on the other. Bring both to one type first, with astype(str) or pd.to_numeric."},
	{"overlap", "ValueError", "", `columns overlap but no suffix`, "Both frames have columns of these names: give join lsuffix= and rsuffix=, or use merge."},
	{"concat-none", "ValueError", "", `No objects to concatenate`, "The list of frames is empty: nothing matched, or nothing was appended to it before pd.concat."},
	{"pivot-duplicate", "ValueError", "", `Index contains duplicate entries, cannot reshape`, "Several rows share one pair of index and column: use pivot_table with an aggfunc, or remove the duplicates first."},
	{"duplicate-axis", "ValueError", "", `cannot reindex on an axis with duplicate labels`, "Labels are there more than once: reset_index(drop=True), or drop the duplicates, before this step."},
	{"ambiguous-name", "ValueError", "", `'(?P<key>.*)' is both an index level and a column label`, "{key} names a column and an index level: reset_index(drop=True) or rename one of them."},
	{"length-columns", "ValueError", "", `Length mismatch: Expected axis has (?P<have>\d+) elements, new values have (?P<new>\d+)`, "There are {have} labels to set and {new} were given. Rename single columns with df.rename(columns={…})."},
	{"length-values", "ValueError", "", `Length of values \((?P<new>\d+)\) does not match length of index \((?P<have>\d+)\)`, "The new column has {new} values and the frame {have} rows. Make it from the same rows, or map it by a key."},
	{"arrays-length", "ValueError", "", `All arrays must be of the same length`, "The columns that make the frame are of unequal length: print their lengths, or make it from a list of dicts."},
	{"scalar-index", "ValueError", "", `If using all scalar values, you must pass an index`, "Every value is a single one, so pandas does not know how many rows: pd.DataFrame([the_dict])."},
	{"columns-shape", "ValueError", "", `Columns must be same length as key|Cannot set a DataFrame with multiple columns`, "What is assigned has another number of columns than there are names. A frame with several columns cannot become one column."},
	{"group-type", "TypeError", "", `agg function failed|Could not convert .* to numeric|can only concatenate str .*mean|does not support reduction|dtype .* does not support`, "The aggregation meets a column that is no number. Name the columns, pass numeric_only=True, or turn them into numbers with pd.to_numeric(…, errors='coerce')."},

	// Truth, types and conversion.
	{"truth-series", "ValueError", "", `truth value of a (?P<kind>Series|DataFrame|Index|GroupBy) is ambiguous`, "A whole {kind} stands where one True or False is needed. Combine masks with &, | and ~, each comparison in brackets; ask of the whole with .any(), .all() or .empty."},
	{"truth-array", "ValueError", "", `truth value of an array with more than one element is ambiguous`, "A whole array stands where one True or False is needed. Use np.where, masks with & and |, or .any() and .all()."},
	{"truth-na", "TypeError", "", `boolean value of NA is ambiguous`, "pd.NA is neither true nor false: test with pd.isna(…), or fill it with fillna first."},
	{"mask-na", "ValueError", "", `Cannot mask with non-boolean array containing NA`, "The mask has missing values, as str.contains gives for missing text: str.contains(…, na=False), or .fillna(False)."},
	{"bitwise", "TypeError", "", `unsupported operand type\(s\) for &|Cannot perform 'r?(and|or)_' with|cannot compare a dtyped`, "& and | bind more tightly than comparisons: put every comparison in brackets, (a > 1) & (b < 2)."},
	{"nan-int", "IntCastingNaNError ValueError", "", `Cannot convert (non-finite values|float NaN|float infinity)|cannot convert (float )?(NaN|infinity)`, "Missing or infinite values cannot become whole numbers: drop or fill them first, or use the type 'Int64'."},
	{"to-number", "ValueError", "", `could not convert string to float: (?P<value>.*)|invalid literal for int\(\) with base \d+: (?P<other>.*)|Unable to parse string (?P<third>"[^"]*")`, "The text {value}{other}{third} is no number. pd.to_numeric(column, errors='coerce') makes such values missing; strip units, commas and signs such as < first."},
	{"date-parse", "ValueError DateParseError ParserError", "", `time data .* (doesn't|does not) match format|unconverted data remains|Unknown (datetime )?string format|Unknown string format|month must be in|day is out of range|Given date string .* not likely|String does not contain a date`, "A text is no date of the form that is expected. pd.to_datetime(column, errors='coerce') makes such values missing; give format= that fits, or format='mixed'."},
	{"date-iso", "ValueError", "", `Invalid isoformat string`, "The text is not a date in ISO form (2100-01-31 08:00:00). Use datetime.strptime with its format, or pd.to_datetime."},
	{"date-bounds", "OutOfBoundsDatetime OverflowError", "", `(?i)out ?of ?bounds|date value out of range`, "The date lies outside of what pandas can hold in nanoseconds (1677 to 2262): use errors='coerce', or .dt.to_period('D'), or keep it as text."},
	{"tz", "TypeError", "", `tz-naive|offset-naive`, "One date has a time zone and the other none: remove it with .dt.tz_localize(None), or give both the same."},
	{"date-compare", "TypeError", "", `(Invalid comparison between dtype=datetime64|'[<>]=?' not supported between instances of '(Timestamp|datetime\.\w+|str)' and '(Timestamp|datetime\.\w+|str)')`, "Dates are compared with text or with plain dates: turn both sides into timestamps with pd.to_datetime."},
	{"compare", "TypeError", "", `'(?P<sign>[<>]=?)' not supported between instances of '(?P<left>[\w.]+)' and '(?P<right>[\w.]+)'`, "A {left} cannot be compared with a {right}. Turn both into one type, and take out missing values before sorting."},
	{"operands", "TypeError", "", `unsupported operand type\(s\) for (?P<sign>\S+): '(?P<left>[\w.]+)' and '(?P<right>[\w.]+)'`, "{left} and {right} have no operator {sign}. Convert one of them first, with int, float, str or pd.to_numeric; values read from files are often text."},
	{"concat-str", "TypeError", "", `can only concatenate str|must be str, not`, "Text and another type are put together with +. Write str(value), or an f-string."},
	{"not-callable", "TypeError", "", `'(?P<kind>[\w.]+)' object is not callable`, "An object of type {kind} is called as a function. A variable may have taken a function's name, or () stands where [] is meant, or a property has no brackets."},
	{"not-subscriptable", "TypeError", "", `'(?P<kind>[\w.]+)' object is not subscriptable`, "A {kind} has no [ ]: the brackets of a call may be missing, or the value is of another type than you think."},
	{"not-iterable", "TypeError", "", `'(?P<kind>[\w.]+)' object is not iterable|cannot unpack non-iterable (?P<other>[\w.]+)`, "A single {kind}{other} is gone through like a list. Put it in a list, use range(n) for a count, or see what the call returns."},
	{"unhashable", "TypeError", "", `unhashable type: '(?P<kind>[\w.]+)'`, "A {kind} cannot be a key of a dict, a member of a set or a group's label: use a tuple or a text of it."},
	{"indices-integer", "TypeError", "", `(?P<kind>list|string|tuple|str) indices must be integers`, "A {kind} is indexed by position, not by name. If you expect a dict, take one element first, or parse the text with json.loads."},
	{"arguments", "TypeError", "", `(?P<func>[\w.<>]+)\(\) (takes|missing|got an unexpected|got multiple)`, "{func} is called with arguments that it does not have, or too few. See its signature: help({func}); names of parameters change between versions."},
	{"unpack", "ValueError", "", `(too many|not enough) values to unpack`, "The number of names on the left is not the number of values on the right. Print the value; for a dict go through .items()."},
	{"serialize", "TypeError", "", `Object of type (?P<kind>\w+) is not JSON serializable`, "json knows no {kind}: turn it into a plain value first, with int(), float(), .tolist() or str(), or pass default=str."},
	{"list-remove", "ValueError", "", `(?P<value>.*) is not in list|list\.remove`, "The value is not in the list: test with in first."},
	{"empty-sequence", "ValueError", "", `(arg|iterable argument) is (an )?empty|attempt to get arg(max|min) of an empty sequence|zero-size array to reduction`, "There is nothing to take the largest or smallest of: a filter let nothing pass. Look at its length, or pass default=."},

	// numpy.
	{"matmul", "ValueError", "", `shapes (?P<left>\([^)]*\)) and (?P<right>\([^)]*\)) not aligned|matmul: .*mismatch|matrices are not aligned`, "The inner sizes of the two matrices differ {left} {right}: transpose one with .T, or see which axis holds the features."},
	{"broadcast", "ValueError", "", `operands could not be broadcast together with shapes (?P<shapes>.*)|could not broadcast input array from shape (?P<from>\S+) into shape (?P<into>\S+)`, "The shapes {shapes}{from} {into} do not fit element by element. Sizes have to be equal or 1 from the last axis on: use reshape, [:, None] or keepdims=True."},
	{"reshape", "ValueError", "", `cannot reshape array of size (?P<size>\d+) into shape (?P<shape>\S+)`, "{size} elements do not fill the shape {shape}: the product has to be the same; -1 lets numpy find one of the sizes."},
	{"inhomogeneous", "ValueError", "", `inhomogeneous shape|setting an array element with a sequence`, "The rows are of unequal length, so they make no array: pad them, or use dtype=object."},
	{"concat-dims", "ValueError", "", `all the input array dimensions.*must match|all the input arrays must have same number of dimensions|all input arrays must have the same shape`, "The arrays differ in shape along an axis that has to be the same: print the shapes and choose the axis."},
	{"axis", "AxisError ValueError", "", `axis (?P<axis>-?\d+) is out of bounds for array of dimension (?P<dims>\d+)|No axis named (?P<name>\S+)`, "There is no such axis {axis}{name}: a table has axes 0 (rows) and 1 (columns), a Series and a flat array only 0."},
	{"singular", "LinAlgError", "", `Singular matrix|not positive definite|did not converge`, "The matrix has no inverse or is ill-conditioned: some columns depend on others. Drop one of them (a full set of dummies beside a constant, for instance), or use np.linalg.lstsq or pinv."},
	{"ufunc-type", "TypeError UFuncTypeError _UFuncNoLoopError", "", `ufunc '(?P<name>\w+)'|loop of ufunc does not support`, "numpy cannot calculate with these types, often text or objects: .astype(float) or pd.to_numeric first."},

	// sqlite3 and SQL.
	{"sql-table", "OperationalError DatabaseError", "", `no such table: (?P<key>\S+)`, "The database has no table {key}.{near} List the tables: SELECT name FROM sqlite_master WHERE type='table'. A wrong path makes a new, empty database.{files}"},
	{"sql-column", "OperationalError DatabaseError", "", `no such column: "?(?P<key>[^\s"]+)`, "No table of the query has a column {key}.{near} PRAGMA table_info(table) lists columns. Texts need single quotes; double quotes name columns."},
	{"sql-ambiguous", "OperationalError DatabaseError", "", `ambiguous column name: (?P<key>\S+)`, "More than one table has the column {key}: write table.{key}, or the table's alias."},
	{"sql-syntax", "OperationalError DatabaseError", "", `near "(?P<key>[^"]*)": syntax error`, "SQLite cannot read the query at or just before {key}. Look for a missing comma, bracket or quote, a word that SQLite lacks (TOP, ILIKE, DATEDIFF, INTERVAL, EXTRACT; use LIMIT, LIKE, julianday, strftime), and keywords used as names."},
	{"sql-incomplete", "OperationalError DatabaseError", "", `incomplete input|unrecognized token`, "The query ends too early or holds a token that SQLite does not know: close brackets and quotes, and double the single quotes inside texts, or better pass values as parameters."},
	{"sql-function", "OperationalError DatabaseError", "", `no such function: (?P<key>\w+)`, "SQLite has no function {key}. For dates use strftime, julianday and date; for the rest calculate in Python."},
	{"sql-aggregate", "OperationalError DatabaseError", "", `misuse of (aggregate|window)|a GROUP BY clause is required`, "An aggregate stands where none may: filter groups with HAVING, not WHERE, or use a subquery."},
	{"sql-locked", "OperationalError DatabaseError", "", `database( table)? is locked`, "Another connection holds the database: close it or commit before, or do it all over one connection."},
	{"sql-readonly", "OperationalError DatabaseError", "", `readonly database|unable to open database file`, "The database cannot be opened for this. What is given cannot be written to: open it with sqlite3.connect('file:PATH?mode=ro', uri=True), and see that the path is right.{files}"},
	{"sql-bindings", "ProgrammingError", "", `Incorrect number of bindings supplied\. The current statement uses (?P<want>\d+), and there are (?P<have>\d+) supplied`, "The query has {want} placeholders and {have} values were given. Pass a tuple or list: (value,) with its comma, since a plain text counts as its letters."},
	{"sql-binding-type", "ProgrammingError InterfaceError", "", `Error binding parameter.*|type '(?P<kind>[\w.]+)' is not supported`, "sqlite3 cannot store this type: convert values to int, float or str, with .item() for those of numpy."},
	{"sql-binding-name", "ProgrammingError", "", `did not supply a value for binding|Binding .* has no name`, "Names of placeholders and keys of the dict do not fit together: :name needs {'name': …}, and ? needs a sequence."},
	{"sql-closed", "ProgrammingError", "", `Cannot operate on a closed`, "The connection or cursor is closed already: do the query before close(), or open it anew."},
	{"sql-several", "ProgrammingError Warning", "", `one statement at a time`, "execute takes one statement: use executescript for several, or call it for each."},
	{"sql-notdb", "DatabaseError", "", `file is not a database|malformed`, "The file is no SQLite database. See what it is first: a CSV file, or a packed one?"},
	{"sql-unique", "IntegrityError", "", ``, "A row breaks a rule of the table (unique, not null, foreign key): look at the rows that are there already."},
	{"sql-pandas", "DatabaseError", "", `Execution failed on sql`, "The query failed: what the database says about it stands at the end of the message."},

	// Files and formats.
	{"no-file", "FileNotFoundError", "", `(?:directory: |File )b?['"]?(?P<key>[^'"]+)['"]?`, "There is no file {key}.{near}{files} Paths that do not begin with / are looked for in the working folder /session."},
	{"no-file-unnamed", "FileNotFoundError", "", ``, "A file is not there.{files} Paths that do not begin with / are looked for in the working folder /session."},
	{"file-readonly", "OSError PermissionError", "", `Read-only file system|Permission denied: (?P<key>.*)|\[Errno (13|30)\]`, "This place cannot be written to or read. Write to the working folder, with a plain file name, or to /tmp."},
	{"file-full", "OSError", "", `No space left|File too large|\[Errno (27|28)\]`, "The space for files is used up: remove what you wrote, or write less."},
	{"file-folder", "IsADirectoryError NotADirectoryError", "", ``, "A folder stands where a file is expected, or the other way round. List it with os.listdir."},
	{"network", "URLError ConnectionError NewConnectionError ConnectionRefusedError ConnectTimeout gaierror MaxRetryError ConnectionResetError NameResolutionError HTTPError RemoteDisconnected", "", ``, "There is no internet here, and a service is reached at the address that the problem names only. Use the data in /workdir and /data.{files}"},
	{"decode", "UnicodeDecodeError", "", `'(?P<codec>[\w-]+)' codec can't decode byte (?P<byte>0x\w+)`, "The file is not in {codec}: try encoding='latin-1' or 'cp1252', or errors='replace'; byte 0x1f or 0x8b at its start means that it is packed (gzip)."},
	{"encode", "UnicodeEncodeError", "", ``, "A character has no form in that encoding: open the file with encoding='utf-8'."},
	{"json", "JSONDecodeError", "", `(?P<what>.*?): line (?P<line>\d+) column (?P<col>\d+)`, "The text is no JSON from line {line}, column {col} on. Print its beginning: it may be empty, several objects one a line (pd.read_json(…, lines=True)), or Python's own form (ast.literal_eval)."},
	{"parser-fields", "ParserError", "", `Expected (?P<want>\d+) fields in line (?P<line>\d+), saw (?P<have>\d+)`, "Line {line} of the file has {have} fields where {want} were expected: the separator may be another (sep='\\t', ';'), a head of notes may stand above (skiprows=), or quotes are off (on_bad_lines='skip')."},
	{"parser", "ParserError CParserError", "", `Error tokenizing|EOF inside string|C error|Buffer overflow`, "The file is no table of that form: check the separator, the quotes and that it is not packed; engine='python' tells more."},
	{"empty-data", "EmptyDataError", "", ``, "The file is empty, or holds no columns: see its size and its first lines."},
	{"input", "EOFError", "", `EOF when reading a line`, "input() has nobody to ask here: put the value into the code."},
	{"gzip", "BadGzipFile BadZipFile EOFError UnpicklingError", "", ``, "The file is not of the form it is opened as, or ends too early: look at its first bytes."},
	{"excel", "ValueError", "", `Excel file format cannot be determined|Worksheet named '(?P<key>[^']*)' not found`, "This is no workbook that can be read, or it has no such sheet: see pd.ExcelFile(path).sheet_names, or whether it is a CSV file."},
	{"closed-file", "ValueError", "", `I/O operation on closed file`, "The file is closed already: do all reading inside the with block."},

	// Statistics and learning.
	{"nan-input", "ValueError MissingDataError", "", `Input (?P<what>\w+)?\s*contains (NaN|infinity)|contains (inf|infs|nan)s? or (inf|nan)s?|array must not contain infs or NaNs|exog contains inf or nans|NaNs were detected`, "There are missing or infinite values, which this method does not take: drop the rows (dropna), fill them (fillna, SimpleImputer), and replace inf by NaN before that."},
	{"convert-delta", "ConvergenceError", "", ``, "The estimate does not converge: columns may be constant or depend on each other, or separate the events wholly. Drop them, or add a penalizer."},
	{"inconsistent", "ValueError", "", `inconsistent numbers of samples|endog and exog (matrices )?are different sizes|must have the same (first dimension|length)|x and y must have same|arrays must have the same length|must be the same length|must be broadcastable`, "The inputs differ in their number of rows. Filter both in the same way, best in one frame, and take the columns out of it afterwards."},
	{"indices-aligned", "ValueError", "", `indices for endog and exog are not aligned`, "The rows of y and X have different labels: take both from one frame, or reset_index(drop=True) on both."},
	{"expected-2d", "ValueError", "", `Expected 2D array, got 1D array|Reshape your data`, "The features have to be a table: df[['column']] with two brackets, or .reshape(-1, 1)."},
	{"one-class", "ValueError", "", `needs samples of at least 2 classes|Only one class (is )?present|number of classes.*one|least populated class`, "The labels are of one class only, or a class is too rare: look at value_counts(), and split with stratify=."},
	{"features-count", "ValueError", "", `X has (?P<have>\d+) features, but (?P<model>\w+) is expecting (?P<want>\d+)|feature names should match`, "The model was fitted on other columns than it is given now: use the same columns in the same order, as reindex(columns=…) makes them."},
	{"not-fitted", "NotFittedError", "", ``, "fit has to be called before predict or transform, on this very object."},
	{"no-samples", "ValueError", "", `Found array with 0 (sample|feature)|zero-size array|n_samples=0|[Ss]ample larger than population|must be non-empty|at least one array`, "Nothing is left to work on: a filter let no rows pass. Print the shape after each step."},
	{"multiclass", "ValueError", "", `multiclass format is not supported|Target is multiclass|multi_class must be in`, "The labels have more than two classes: name average= or multi_class=, or make two of them."},
	{"string-features", "ValueError", "", `could not convert string|Unknown label type|dtype=.numeric. is not compatible`, "Text stands among the features or labels: encode it, with pd.get_dummies or LabelEncoder."},
	{"perfect-separation", "PerfectSeparationError PerfectSeparationWarning", "", ``, "A feature tells the two groups apart without error, so that its estimate has no end: drop it, or use a penalty."},
	{"patsy", "PatsyError FactorEvaluationError FormulaMaterializationError", "", ``, "The formula cannot be worked out: every name in it has to be a column of the data; write Q('odd name') for names that are no plain words."},

	// The builtins.
	{"division", "ZeroDivisionError", "", ``, "Something is divided by zero: often a count of nothing, since a filter let no row pass. Test the divisor first."},
	{"recursion", "RecursionError", "", ``, "A function calls itself without end: see that its base case is reached, or use a loop."},
	{"stop", "StopIteration", "", ``, "next() found nothing: give it a default, next(iterator, None)."},
	{"assert", "AssertionError", "", ``, "A check in the code did not hold: print the values that it compares."},
	{"overflow", "OverflowError", "", ``, "A number is too large for its type: use Python's int or float64, or logarithms."},
	{"unsupported", "UnsupportedOperation", "", ``, "The file was opened for reading or for writing alone: see its mode ('r', 'w', 'a')."},
	{"exit", "SystemExit", "", ``, "The program ended itself with sys.exit or exit before it came to its end."},
	{"not-implemented", "NotImplementedError", "", ``, "This case is not written yet in the library or class: choose another method or type."},
	{"dict-changed", "RuntimeError", "", `changed size during iteration`, "A dict or set is changed while it is gone through: go through list(…) of it."},
	{"subprocess", "CalledProcessError", "", `returned non-zero exit status (?P<code>\d+)`, "The command that the program started ended with exit code {code}: print its stderr (capture_output=True)."},

	// Warnings that often mean a wrong result.
	{"copy-warning", "SettingWithCopyWarning", "", ``, "A value is set on what may be a copy, and the frame itself stays as it was: use df.loc[rows, column] = value, or .copy() after the filter."},
	{"chained-warning", "FutureWarning ChainedAssignmentError", "", `chained assignment|inplace method`, "The call works on a copy of the column: assign its result, df[column] = df[column].method(…)."},
	{"converge-warning", "ConvergenceWarning", "", ``, "The fit did not come to its end, so its estimates may be off: raise max_iter or maxiter, or scale the features."},
	{"types-warning", "DtypeWarning", "", ``, "A column holds values of several types: read it with dtype={column: str}, or low_memory=False."},
	{"date-warning", "UserWarning", "", `Could not infer format|Parsing dates in`, "The form of the dates is guessed one by one: give format=, so that day and month are not mixed up."},
	{"numeric-warning", "RuntimeWarning", "", `(divide by zero|invalid value|overflow) encountered in (?P<func>\w+)|Mean of empty slice`, "The calculation met zero, missing or too large values, and results hold NaN or inf: see where they come from."},
})

// compile makes the patterns ready. They are constants: a bad one fails every test.
func compile(rules []rule) []compiled {
	out := make([]compiled, len(rules))
	for i, r := range rules {
		out[i] = compiled{rule: r, match: regexp.MustCompile(r.pattern)}
	}
	return out
}

type compiled struct {
	rule
	match *regexp.Regexp
}

// instead are packages that agents ask for, and what is installed that does the same.
var instead = map[string]string{
	"pyarrow": "Read and write CSV or SQLite with pandas", "fastparquet": "Read and write CSV or SQLite with pandas",
	"polars": "Use pandas", "dask": "Use pandas, in chunks", "modin": "Use pandas", "vaex": "Use pandas", "pyspark": "Use pandas", "pandasql": "Use sqlite3 with pandas.DataFrame.to_sql",
	"duckdb": "Use sqlite3", "sqlalchemy": "Use sqlite3: pandas.read_sql_query takes its connection", "psycopg2": "Use sqlite3", "pymysql": "Use sqlite3", "mysql": "Use sqlite3",
	"torch": "Use sklearn (sklearn.neural_network for small networks)", "tensorflow": "Use sklearn (sklearn.neural_network for small networks)", "keras": "Use sklearn (sklearn.neural_network for small networks)",
	"xgboost": "Use sklearn.ensemble.HistGradientBoostingClassifier or …Regressor", "lightgbm": "Use sklearn.ensemble.HistGradientBoostingClassifier or …Regressor", "catboost": "Use sklearn.ensemble.HistGradientBoostingClassifier or …Regressor",
	"sksurv": "Use lifelines", "pycox": "Use lifelines", "pingouin": "Use scipy.stats and statsmodels", "scikit_posthocs": "Use scipy.stats and statsmodels", "imblearn": "Use class_weight= of sklearn", "linearmodels": "Use statsmodels",
	"umap": "Use sklearn.manifold.TSNE or sklearn.decomposition.PCA", "hdbscan": "Use sklearn.cluster.HDBSCAN", "cv2": "Use skimage", "SimpleITK": "Use skimage and scipy.ndimage", "nltk": "Use re", "spacy": "Use re",
	"numba": "Use numpy on whole arrays", "cupy": "Use numpy", "jax": "Use numpy, or autograd for gradients", "sympy": "Use numpy and scipy.optimize", "cvxpy": "Use scipy.optimize", "pulp": "Use scipy.optimize.milp",
	"xlrd": "openpyxl reads .xlsx files", "xlsxwriter": "Use openpyxl", "yaml": "Use json", "tqdm": "Leave the progress bar out", "bs4": "Use html.parser", "lxml": "Use xml.etree.ElementTree", "fhirclient": "Use requests and json", "httpx": "Use requests", "aiohttp": "Use requests",
	"pyranges": "Use pandas", "pybedtools": "Use pandas or pysam", "anndata": "Use pandas", "scanpy": "Use pandas, sklearn and matplotlib", "gseapy": "Use scipy.stats", "Levenshtein": "Use difflib", "rapidfuzz": "Use difflib", "fuzzywuzzy": "Use difflib", "rpy2": "Use statsmodels, lifelines and scipy.stats",
	// What is installed under another name.
	"scikit-learn": "It is imported as sklearn", "biopython": "It is imported as Bio", "pillow": "It is imported as PIL", "scikit-image": "It is imported as skimage", "pil": "It is imported as PIL", "bio": "It is imported as Bio", "sqlite": "It is imported as sqlite3",
}
