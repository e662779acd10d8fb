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

// Environment is what the zygote and its programs find in their environment.
func Environment() []string {
	return []string{
		"PATH=/opt/medgym/bin:/usr/local/bin:/usr/bin:/bin", "HOME=/session", "USER=nobody", "TMPDIR=/tmp", "TZ=UTC", "LANG=C.UTF-8",
		"PYTHONPATH=/opt/env", "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0",
		"MPLBACKEND=Agg", "MPLCONFIGDIR=/tmp/mpl",
		"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1", "NUMEXPR_NUM_THREADS=1",
	}
}
