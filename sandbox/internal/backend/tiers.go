package backend

// Tiers are the packages that the warm processes of a cell load, each those of the
// tiers before it too. The first is cheapest to fork. A package must leave the
// process with one thread.
func Tiers() [][]string {
	return [][]string{
		{"collections", "csv", "datetime", "decimal", "fractions", "functools", "io", "itertools", "json", "math", "random", "re",
			"sqlite3", "statistics", "string", "subprocess", "threading", "urllib.request", "http.client"},
		{"numpy", "pandas", "requests"},
		{"scipy.stats", "scipy.optimize", "scipy.special", "scipy.cluster.hierarchy", "scipy.spatial.distance",
			"statsmodels.api", "statsmodels.formula.api", "statsmodels.stats.power", "statsmodels.stats.multitest",
			"sklearn.linear_model", "sklearn.ensemble", "sklearn.metrics", "sklearn.preprocessing", "sklearn.model_selection",
			"sklearn.cluster", "sklearn.decomposition", "lifelines", "matplotlib.pyplot", "seaborn", "Bio.Seq", "Bio.SeqIO"},
	}
}

// index is where pip looks for packages. Nobody listens there unless the session was
// given a service on that port.
const index = "http://127.0.0.1:8990/"

// Environment is what the zygote and its programs find in their environment. What pip
// installs goes to the user's site, below /session: later programs of the session find
// it, behind the packages of the environment.
func Environment() []string {
	return []string{
		"PATH=/opt/medgym/bin:/opt/env/bin:/usr/local/bin:/usr/bin:/bin", "HOME=/session", "USER=nobody", "TMPDIR=/tmp", "TZ=UTC", "LANG=C.UTF-8",
		"PYTHONPATH=/opt/env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0",
		"MPLBACKEND=Agg", "MPLCONFIGDIR=/tmp/mpl",
		"PIP_USER=1", "PIP_INDEX_URL=" + index + "simple/", "PIP_CONSTRAINT=" + index + "constraints.txt", "PIP_ONLY_BINARY=:all:", "PIP_RETRIES=0",
		"PIP_NO_CACHE_DIR=1", "PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_BREAK_SYSTEM_PACKAGES=1", "PIP_ROOT_USER_ACTION=ignore",
		"PIP_NO_WARN_SCRIPT_LOCATION=1", "PIP_PROGRESS_BAR=off", "PIP_NO_COLOR=1",
		"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1", "NUMEXPR_NUM_THREADS=1",
	}
}
