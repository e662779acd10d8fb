package medcalcbench

import "strings"

// calculator is one of the benchmark's calculators. Its formula is Python that
// reads the inputs by name and sets answer; package pycalc evaluates the same
// text here.
type calculator struct {
	id      int64
	name    string // as the benchmark writes it
	asks    string // what is computed, for synthetic questions
	score   bool   // counts points by rule: the answer is exact
	inputs  []input
	formula string
}

// kind is what an input is.
type kind int

const (
	quantity kind = iota // a number with a unit
	plain                // a number without one
	flag                 // yes or no
	choice               // one of several texts
	day                  // a date
)

// input is a value that a formula reads.
type input struct {
	kind   kind
	name   string // in the formula
	entity string // its key in the row's relevant entities
	says   string // in a note
	units  units  // of a quantity
	absent string // Python for a value that the row does not give; required if empty

	// What synthetic rows draw from: a range and its decimals, or texts.
	low, high float64
	decimals  int
	options   []string
	withLast  bool // left out of a note just when the input before it is
}

// units are the units that a quantity may come in, with the Python that makes of
// a value x in it the formula's. The first is the formula's own.
type units []unit

type unit struct{ name, convert string }

// spellings are other ways in which the benchmark writes a unit, without case and
// space.
var spellings = map[string]string{
	"lb": "lbs", "pounds": "lbs", "inches": "in", "feet": "ft", "year": "years", "month": "months", "week": "weeks", "day": "days",
	"degreescelsisus": "degreescelsius", "degreesfahreinheit": "degreesfahrenheit", "bpm": "beatsperminute", "ms": "msec", "iu/l": "u/l",
	"mm^3": "µl", "m^3": "µl", "mc/kg/min": "mcg/kg/min",
}

// Molar masses in g/mol, and what follows from them for 1 mmol/L in mg/dL:
// glucose 180.16, creatinine 113.12, bilirubin 584.66, calcium 40.08,
// cholesterol 386.65, triglycerides 885.45 (as triolein), and two nitrogen
// atoms of 14.007 in a molecule of urea.
var (
	kilograms    = units{{"kg", "x"}, {"g", "x / 1000"}, {"lbs", "x * 0.45359237"}}
	centimetres  = units{{"cm", "x"}, {"m", "x * 100"}, {"in", "x * 2.54"}, {"ft", "x * 30.48"}}
	years        = units{{"years", "x"}, {"months", "x / 12"}, {"weeks", "x / 52.18"}, {"days", "x / 365.25"}}
	celsius      = units{{"degrees celsius", "x"}, {"degrees fahrenheit", "(x - 32) * 5 / 9"}}
	mmHg         = units{{"mm Hg", "x"}, {"kPa", "x * 7.50062"}}
	perMinute    = units{{"beats per minute", "x"}}
	breaths      = units{{"breaths per minute", "x"}}
	milliseconds = units{{"msec", "x"}, {"s", "x * 1000"}}
	percent      = units{{"%", "x"}}

	monovalent    = units{{"mEq/L", "x"}, {"mmol/L", "x"}}
	glucose       = units{{"mg/dL", "x"}, {"mmol/L", "x * 18.016"}}
	creatinine    = units{{"mg/dL", "x"}, {"µmol/L", "x * 0.011312"}, {"mmol/L", "x * 11.312"}}
	bilirubin     = units{{"mg/dL", "x"}, {"µmol/L", "x * 0.058466"}, {"mmol/L", "x * 58.466"}}
	ureaNitrogen  = units{{"mg/dL", "x"}, {"mmol/L", "x * 2.8014"}}
	calcium       = units{{"mg/dL", "x"}, {"mmol/L", "x * 4.008"}}
	cholesterol   = units{{"mg/dL", "x"}, {"mmol/L", "x * 38.665"}}
	triglycerides = units{{"mg/dL", "x"}, {"mmol/L", "x * 88.545"}}
	albumin       = units{{"g/dL", "x"}, {"g/L", "x / 10"}, {"mg/dL", "x / 1000"}}
	hemoglobin    = units{{"g/dL", "x"}, {"g/L", "x / 10"}}
	enzyme        = units{{"U/L", "x"}}
	insulin       = units{{"µIU/mL", "x"}, {"pmol/L", "x / 6"}}
	// Cells are counted in a microlitre, which is a cubic millimetre.
	perMicrolitre = units{{"µL", "x"}, {"L", "x / 1e6"}}
	milligrams    = units{{"mg", "x"}, {"g", "x * 1000"}, {"µg", "x / 1000"}}
	micrograms    = units{{"µg", "x"}, {"mg", "x * 1000"}}
	perDay        = units{{"per day", "x"}}
	pressor       = units{{"mcg/kg/min", "x"}}
	bodyMass      = units{{"kg/m^2", "x"}}
)

func number(name, entity, says string, in units, low, high float64, decimals int) input {
	return input{kind: quantity, name: name, entity: entity, says: says, units: in, low: low, high: high, decimals: decimals}
}

func bare(name, entity, says string, low, high float64, decimals int) input {
	return input{kind: plain, name: name, entity: entity, says: says, low: low, high: high, decimals: decimals}
}

// yes is a finding. One that the row does not give counts as absent, as the
// benchmark's questions have it.
func yes(name, entity, says string) input {
	return input{kind: flag, name: name, entity: entity, says: says, absent: "False"}
}

func oneOf(name, entity, says string, options ...string) input {
	return input{kind: choice, name: name, entity: entity, says: says, options: options}
}

func dated(name, entity, says string) input {
	return input{kind: day, name: name, entity: entity, says: says}
}

// or makes an input optional.
func (i input) or(absent string) input {
	i.absent = absent
	return i
}

// joined ties an input to the one before it.
func (i input) joined() input {
	i.withLast = true
	return i
}

// Inputs of several calculators.
var (
	sex        = oneOf("sex", "sex", "sex", "Male", "Female")
	age        = number("age", "age", "age", years, 19, 92, 0)
	weight     = number("weight", "weight", "weight", kilograms, 42, 128, 1)
	height     = number("height", "height", "height", centimetres, 148, 196, 0)
	systolic   = number("systolic", "Systolic Blood Pressure", "systolic blood pressure", mmHg, 82, 178, 0)
	diastolic  = number("diastolic", "Diastolic Blood Pressure", "diastolic blood pressure", mmHg, 44, 80, 0)
	heartRate  = number("heart_rate", "Heart Rate or Pulse", "heart rate", perMinute, 48, 146, 0)
	qtInterval = number("qt", "QT interval", "QT interval", milliseconds, 320, 480, 0)
	breathing  = number("respiratory_rate", "respiratory rate", "respiratory rate", breaths, 10, 38, 0)
	fever      = number("temperature", "Temperature", "temperature", celsius, 35.2, 40.4, 1)

	sodium       = number("sodium", "Sodium", "serum sodium", monovalent, 121, 158, 0)
	chloride     = number("chloride", "Chloride", "serum chloride", monovalent, 88, 112, 0)
	bicarbonate  = number("bicarbonate", "Bicarbonate", "serum bicarbonate", monovalent, 7, 23, 0)
	serumAlbumin = number("albumin", "Albumin", "serum albumin", albumin, 1.9, 4.6, 1)
	sugar        = number("glucose", "Glucose", "blood glucose", glucose, 74, 420, 0)
	urea         = number("bun", "Blood Urea Nitrogen (BUN)", "blood urea nitrogen", ureaNitrogen, 7, 74, 0)
	serumCr      = number("creatinine", "creatinine", "serum creatinine", creatinine, 0.5, 4.8, 2)
	totalBili    = number("bilirubin", "Bilirubin", "total bilirubin", bilirubin, 0.4, 8.9, 1)
	inr          = bare("inr", "international normalized ratio", "international normalized ratio", 0.9, 3.2, 1)
	totalChol    = number("total_cholesterol", "Total cholesterol", "total cholesterol", cholesterol, 150, 290, 0)
	hdlChol      = number("hdl", "high-density lipoprotein cholesterol", "HDL cholesterol", cholesterol, 28, 84, 0)
	platelets    = number("platelets", "Platelet count", "platelet count", perMicrolitre, 38e3, 390e3, -3)
	whiteCells   = number("white_cells", "White blood cell count", "white blood cell count", perMicrolitre, 2100, 24800, -2)
	hematocrit   = number("hematocrit", "Hematocrit", "hematocrit", percent, 22, 58, 0)
	inspired     = number("fio2", "FiO₂", "inspired oxygen fraction", percent, 21, 90, 0)
	arterialO2   = number("pao2", "Partial pressure of oxygen (PaO₂) for Apache II", "arterial oxygen pressure", mmHg, 48, 104, 0)
	acidity      = bare("ph", "pH", "arterial pH", 7.1, 7.62, 2)
	coma         = bare("gcs", "Glasgow Coma Score", "Glasgow Coma Score", 3, 15, 0)

	periodStart = dated("period", "Last menstrual date", "first day of the last menstrual period")
	cycleLength = bare("cycle", "cycle length", "usual length of the cycle in days", 22, 34, 0)

	heartFailure    = yes("heart_failure", "Congestive Heart Faliure", "congestive heart failure")
	hypertension    = yes("hypertension", "Hypertension history", "hypertension")
	transientAttack = yes("tia", "Transient Ischemic Attacks History", "an earlier transient ischemic attack")
	stroke          = yes("stroke", "Stroke", "an earlier stroke")
	earlierPE       = yes("earlier_pe", "Previously Documented Pulmonary Embolism", "an earlier pulmonary embolism")
	earlierDVT      = yes("earlier_dvt", "Previously documented Deep Vein Thrombosis", "an earlier deep vein thrombosis")
	hemoptysis      = yes("hemoptysis", "Hemoptysis", "hemoptysis")
	filtration      = yes("hemofiltration", "Continuous veno-venous hemodialysis for ≥24 hours in the past week", "continuous veno-venous hemodialysis for 24 hours in the past week")
)

// idealWeight is Devine's formula, 1974.
const idealWeight = `ideal = (50 if sex == "Male" else 45.5) + 2.3 * (height / 2.54 - 60)
`

// gap is the start of the formulas around the anion gap.
const gap = `gap = sodium - (chloride + bicarbonate)
`

const correctedGap = gap + `corrected = gap + 2.5 * (4 - albumin)
`

var electrolytes = []input{sodium, chloride, bicarbonate}

// calculators are all 55, in the order of their ids.
var calculators = []calculator{
	{
		id: 2, name: "Creatinine Clearance (Cockcroft-Gault Equation)",
		asks:   "creatinine clearance by Cockcroft and Gault in mL/min, with the adjusted weight above a BMI of 25, the actual weight below 18.5, and the lesser of ideal and actual weight between",
		inputs: []input{sex, age, weight, height, serumCr},
		formula: idealWeight + `bmi = weight / (height / 100) ** 2
used = weight if bmi < 18.5 else min(ideal, weight) if bmi < 25 else ideal + 0.4 * (weight - ideal)
answer = (140 - age) * used * (1 if sex == "Male" else 0.85) / (72 * creatinine)
`,
	},
	{
		id: 3, name: "CKD-EPI Equations for Glomerular Filtration Rate",
		asks:   "glomerular filtration rate by the CKD-EPI creatinine equation of 2021 in mL/min/1.73 m²",
		inputs: []input{sex, age, serumCr},
		formula: `female = sex == "Female"
ratio = creatinine / (0.7 if female else 0.9)
low = -0.241 if female else -0.302
answer = 142 * min(ratio, 1) ** low * max(ratio, 1) ** -1.2 * 0.9938 ** age * (1.012 if female else 1)
`,
	},
	{
		id: 4, name: "CHA2DS2-VASc Score for Atrial Fibrillation Stroke Risk", asks: "CHA2DS2-VASc score", score: true,
		inputs: []input{
			sex, age, heartFailure, hypertension, yes("diabetes", "Diabetes history", "diabetes mellitus"), stroke, transientAttack,
			yes("thromboembolism", "Thromboembolism history", "an earlier thromboembolism"), yes("vascular", "Vascular disease history", "vascular disease"),
		},
		formula: `answer = 2 if age >= 75 else 1 if age >= 65 else 0
answer += 1 if sex == "Female" else 0
answer += heart_failure + hypertension + diabetes + vascular
answer += 2 if stroke or tia or thromboembolism else 0
`,
	},
	{
		id: 5, name: "Mean Arterial Pressure (MAP)", asks: "mean arterial pressure in mm Hg",
		inputs:  []input{systolic, diastolic},
		formula: "answer = (systolic + 2 * diastolic) / 3\n",
	},
	{
		id: 6, name: "Body Mass Index (BMI)", asks: "body mass index in kg/m²",
		inputs:  []input{weight, height},
		formula: "answer = weight / (height / 100) ** 2\n",
	},
	{
		id: 7, name: "Calcium Correction for Hypoalbuminemia", asks: "calcium corrected for albumin in mg/dL, with a normal albumin of 4 g/dL",
		inputs:  []input{number("calcium", "Calcium", "serum calcium", calcium, 6.8, 11.9, 1), serumAlbumin},
		formula: "answer = calcium + 0.8 * (4 - albumin)\n",
	},
	{
		id: 8, name: "Wells' Criteria for Pulmonary Embolism", asks: "Wells score for pulmonary embolism",
		inputs: []input{
			heartRate, yes("dvt_signs", "Clinical signs and symptoms of Deep Vein Thrombosis", "clinical signs of deep vein thrombosis"),
			yes("likely", "Pulmonary Embolism is #1 diagnosis OR equally likely", "pulmonary embolism as the likeliest diagnosis, or one as likely"),
			yes("immobile", "Immobilization for at least 3 days", "immobilization for three days or more"),
			yes("surgery", "Surgery in the previous 4 weeks", "surgery in the last four weeks"),
			earlierPE, earlierDVT, hemoptysis,
			yes("malignancy", "Malignancy with treatment within 6 months or palliative", "a malignancy treated in the last six months or palliatively"),
		},
		formula: `answer = 3 * dvt_signs + 3 * likely + hemoptysis + malignancy
answer += 1.5 if heart_rate > 100 else 0
answer += 1.5 if immobile or surgery else 0
answer += 1.5 if earlier_pe or earlier_dvt else 0
`,
	},
	{
		id: 9, name: "MDRD GFR Equation", asks: "glomerular filtration rate by the four-variable MDRD equation (factor 175) in mL/min/1.73 m²",
		inputs: []input{sex, age, serumCr, oneOf("race", "Race", "race", "Black", "White", "Asian").or(`"not stated"`)},
		formula: `answer = 175 * creatinine ** -1.154 * age ** -0.203
answer = answer * (0.742 if sex == "Female" else 1) * (1.212 if race == "Black" else 1)
`,
	},
	{
		id: 10, name: "Ideal Body Weight", asks: "ideal body weight by Devine's formula in kg",
		inputs:  []input{sex, height},
		formula: idealWeight + "answer = ideal\n",
	},
	{
		id: 11, name: "QTc Bazett Calculator", asks: "QT interval corrected by Bazett's formula in msec",
		inputs:  []input{heartRate, qtInterval},
		formula: "answer = qt / sqrt(60 / heart_rate)\n",
	},
	{
		id: 13, name: "Estimated Due Date", asks: "estimated due date by Naegele's rule, corrected for the length of the cycle",
		inputs:  []input{periodStart, cycleLength},
		formula: "answer = period + timedelta(days=280 + cycle - 28)\n",
	},
	{
		id: 15, name: "Child-Pugh Score for Cirrhosis Mortality", asks: "Child-Pugh score", score: true,
		inputs: []input{
			inr, serumAlbumin, totalBili,
			oneOf("ascites", "Ascites", "ascites", "absent", "slight", "moderate").or(`"absent"`),
			oneOf("encephalopathy", "Encephalopathy", "hepatic encephalopathy", "No Encephalopathy", "Grade 1-2", "Grade 3-4").or(`"No Encephalopathy"`),
		},
		formula: `answer = 1 if bilirubin < 2 else 2 if bilirubin <= 3 else 3
answer += 1 if albumin > 3.5 else 2 if albumin >= 2.8 else 3
answer += 1 if inr < 1.7 else 2 if inr <= 2.3 else 3
answer += 1 if ascites == "absent" else 2 if ascites == "slight" else 3
answer += 2 if encephalopathy == "Grade 1-2" else 3 if encephalopathy == "Grade 3-4" else 1
`,
	},
	{
		id: 16, name: "Wells' Criteria for DVT", asks: "Wells score for deep vein thrombosis", score: true,
		inputs: []input{
			yes("cancer", "Active cancer", "active cancer"),
			yes("bedridden", "Bedridden recently >3 days or major surgery within 12 weeks", "bed rest for more than three days"),
			yes("surgery", "Major surgery within 12 weeks", "major surgery in the last twelve weeks"),
			yes("calf", "Calf swelling >3 centimeters compared to the other leg", "a calf more than 3 cm thicker than the other"),
			yes("collateral", "Collateral (nonvaricose) superficial veins present", "collateral superficial veins"),
			yes("whole_leg", "Entire Leg Swollen", "swelling of the whole leg"),
			yes("tender", "Localized tenderness along the deep venous system", "tenderness along the deep veins"),
			yes("edema", "Pitting edema, confined to symptomatic leg", "pitting edema of the affected leg only"),
			yes("paralysis", "Paralysis, paresis, or recent plaster immobilization of the lower extremity", "paralysis or a recent plaster cast of the leg"),
			earlierDVT, yes("alternative", "Alternative diagnosis to Deep Vein Thrombosis as likely or more likely", "another diagnosis that is as likely"),
		},
		formula: `answer = cancer + calf + collateral + whole_leg + tender + edema + paralysis + earlier_dvt
answer += 1 if bedridden or surgery else 0
answer += -2 if alternative else 0
`,
	},
	{
		id: 17, name: "Revised Cardiac Risk Index for Pre-Operative Risk", asks: "Revised Cardiac Risk Index", score: true,
		inputs: []input{
			number("creatinine", "Pre-operative creatinine", "creatinine before the operation", creatinine, 0.6, 3.4, 2),
			yes("surgery", "Elevated-risk surgery", "a planned operation of elevated risk"),
			yes("ischemia", "History of ischemic heart disease", "ischemic heart disease"),
			yes("heart_failure", "Congestive Heart Failure criteria for the Cardiac Risk Index rule", "congestive heart failure"),
			yes("cerebrovascular", "History of cerebrovascular disease", "cerebrovascular disease"),
			yes("insulin", "Pre-operative treatment with insulin", "treatment with insulin before the operation"),
		},
		formula: `answer = surgery + ischemia + heart_failure + cerebrovascular + insulin
answer += 1 if creatinine > 2 else 0
`,
	},
	{
		id: 18, name: "HEART Score for Major Cardiac Events", asks: "HEART score", score: true,
		inputs: []input{
			age,
			oneOf("history", "Suspicion History", "the history of the chest pain is rated", "Slightly suspicious", "Moderately suspicious", "Highly suspicious"),
			oneOf("ecg", "Electrocardiogram Test", "electrocardiogram", "Normal", "Non-specific repolarization disturbance", "Significant ST deviation"),
			oneOf("troponin", "Initial troponin", "initial troponin", "less than or equal to normal limit", "between the normal limit or up to three times the normal limit", "greater than three times normal limit"),
			hypertension, yes("cholesterol", "hypercholesterolemia", "hypercholesterolemia"),
			yes("diabetes", "Diabetes mellitus criteria for CCI rule", "diabetes mellitus"), yes("obesity", "obesity", "obesity"), yes("smoking", "smoking", "smoking"),
			yes("family", "parent or sibling with Cardiovascular disease before age 65", "a parent or sibling with cardiovascular disease before 65"),
			yes("atherosclerosis", "atherosclerotic disease", "atherosclerotic disease"), transientAttack,
		},
		formula: `answer = 2 if history == "Highly suspicious" else 1 if history == "Moderately suspicious" else 0
answer += 2 if ecg == "Significant ST deviation" else 0 if ecg == "Normal" else 1
answer += 2 if age >= 65 else 1 if age >= 45 else 0
factors = hypertension + cholesterol + diabetes + obesity + smoking + family
answer += 2 if factors >= 3 or atherosclerosis or tia else 1 if factors >= 1 else 0
answer += {
    "less than or equal to normal limit": 0,
    "between the normal limit or up to three times the normal limit": 1,
    "greater than three times normal limit": 2,
}[troponin]
`,
	},
	{
		id: 19, name: "Fibrosis-4 (FIB-4) Index for Liver Fibrosis", asks: "Fibrosis-4 index",
		inputs: []input{
			age, number("alt", "Alanine aminotransferase", "alanine aminotransferase", enzyme, 14, 310, 0),
			number("ast", "Aspartate aminotransferase", "aspartate aminotransferase", enzyme, 14, 310, 0), platelets,
		},
		formula: "answer = age * ast / (platelets / 1000 * sqrt(alt))\n",
	},
	{
		id: 20, name: "Centor Score (Modified/McIsaac) for Strep Pharyngitis", asks: "modified Centor (McIsaac) score", score: true,
		inputs: []input{
			number("age", "age", "age", years, 4, 70, 0), fever, yes("no_cough", "Cough Absent", "absence of cough"),
			yes("nodes", "Tender/swollen anterior cervical lymph nodes", "tender anterior cervical lymph nodes"),
			yes("exudate", "Exudate or swelling on tonsils", "exudate or swelling of the tonsils"),
		},
		formula: `answer = -1 if age >= 45 else 1 if 3 <= age < 15 else 0
answer += 1 if temperature > 38 else 0
answer += no_cough + nodes + exudate
`,
	},
	{
		id: 21, name: "Glasgow Coma Score (GCS)", asks: "Glasgow Coma Score, where what cannot be tested counts as best", score: true,
		inputs: []input{
			oneOf("eye", "Best eye response", "best eye response", "eyes open spontaneously", "eye opening to verbal command", "eye opening to pain", "no eye opening"),
			oneOf("verbal", "Best verbal response", "best verbal response", "oriented", "confused", "inappropriate words", "incomprehensible sounds", "no verbal response"),
			oneOf("motor", "Best motor response", "best motor response", "obeys commands", "localizes pain", "withdrawal from pain", "flexion to pain", "extension to pain", "no motor response"),
		},
		formula: `answer = {
    "eyes open spontaneously": 4,
    "eye opening to verbal command": 3,
    "eye opening to pain": 2,
    "no eye opening": 1,
    "not testable": 4,
}[eye]
answer += {
    "oriented": 5,
    "confused": 4,
    "inappropriate words": 3,
    "incomprehensible sounds": 2,
    "no verbal response": 1,
    "not testable": 5,
}[verbal]
answer += {
    "obeys commands": 6,
    "localizes pain": 5,
    "withdrawal from pain": 4,
    "flexion to pain": 3,
    "extension to pain": 2,
    "no motor response": 1,
    "not testable": 6,
}[motor]
`,
	},
	{
		id: 22, name: "Maintenance Fluids Calculations", asks: "maintenance fluid by the 4-2-1 rule in mL/hr",
		inputs:  []input{number("weight", "weight", "weight", kilograms, 3.2, 96, 1)},
		formula: "answer = 4 * min(weight, 10) + 2 * min(max(weight - 10, 0), 10) + max(weight - 20, 0)\n",
	},
	{
		id: 23, name: "MELD Na (UNOS/OPTN)", asks: "MELD-Na score by the UNOS/OPTN rule of 2016",
		inputs: []input{
			serumCr, totalBili, inr, sodium, filtration,
			yes("dialysis", "Dialysis at least twice in the past week", "two or more dialyses in the past week"),
		},
		formula: `used = 4 if dialysis or hemofiltration else min(max(creatinine, 1), 4)
meld = 0.957 * log(used) + 0.378 * log(max(bilirubin, 1)) + 1.12 * log(max(inr, 1)) + 0.643
meld = 10 * round(meld, 1)
missing = 137 - min(max(sodium, 125), 137)
answer = round(min(meld + (1.32 * missing - 0.033 * meld * missing if meld > 11 else 0), 40))
`,
	},
	{
		id: 24, name: "Steroid Conversion Calculator", asks: "equivalent daily dose in mg of the steroid that the patient is to be changed to",
		inputs: []input{
			oneOf("given", "input steroid", "steroid taken now", steroids...),
			number("dose", "input steroid", "daily dose of the steroid taken now", milligrams, 2, 60, 0),
			oneOf("target", "target steroid", "steroid to change to", steroids...),
		},
		formula: `equivalent = {
    "Betamethasone IV": 0.75,
    "Cortisone PO": 25,
    "Dexamethasone IV": 0.75,
    "Dexamethasone PO": 0.75,
    "Hydrocortisone IV": 20,
    "Hydrocortisone PO": 20,
    "MethylPrednisoLONE IV": 4,
    "MethylPrednisoLONE PO": 4,
    "PrednisoLONE PO": 5,
    "PredniSONE PO": 5,
    "Triamcinolone IV": 4,
}
answer = dose * equivalent[target] / equivalent[given]
`,
	},
	{
		id: 25, name: "HAS-BLED Score for Major Bleeding Risk", asks: "HAS-BLED score", score: true,
		inputs: []input{
			age, hypertension, stroke,
			yes("renal", "Renal disease criteria for the HAS-BLED rule", "renal disease by the HAS-BLED criteria"),
			yes("liver", "Liver disease criteria for the HAS-BLED rule", "liver disease by the HAS-BLED criteria"),
			yes("bleeding", "Prior major bleeding or predisposition to bleeding", "an earlier major bleeding"),
			yes("labile", "Labile international normalized ratio", "a labile international normalized ratio"),
			yes("drugs", "Medication usage predisposing to bleeding", "medication that predisposes to bleeding"),
			bare("drinks", "Number of Alcoholic Drinks Per Week", "alcoholic drinks a week", 0, 20, 0).or("0"),
		},
		formula: `answer = hypertension + stroke + renal + liver + bleeding + labile + drugs
answer += 1 if age > 65 else 0
answer += 1 if drinks >= 8 else 0
`,
	},
	{
		id: 26, name: "Sodium Correction for Hyperglycemia", asks: "sodium corrected for glucose with 2.4 mEq/L for every 100 mg/dL above 100, in mEq/L",
		inputs:  []input{sodium, sugar},
		formula: "answer = sodium + 0.024 * (glucose - 100)\n",
	},
	{
		id: 27, name: "Glasgow-Blatchford Bleeding Score (GBS)", asks: "Glasgow-Blatchford score", score: true,
		inputs: []input{
			sex, urea, number("hemoglobin", "Hemoglobin", "hemoglobin", hemoglobin, 6.5, 15.5, 1), systolic, heartRate,
			yes("melena", "Melena present", "melena"), yes("syncope", "Recent syncope", "a recent syncope"),
			yes("liver", "Hepatic disease history", "hepatic disease"), yes("heart_failure", "Cardiac failure present", "cardiac failure"),
		},
		formula: `answer = 0 if bun < 18.2 else 2 if bun < 22.4 else 3 if bun < 28 else 4 if bun < 70 else 6
male = 0 if hemoglobin >= 13 else 1 if hemoglobin >= 12 else 3 if hemoglobin >= 10 else 6
female = 0 if hemoglobin >= 12 else 1 if hemoglobin >= 10 else 6
answer += male if sex == "Male" else female
answer += 0 if systolic >= 110 else 1 if systolic >= 100 else 2 if systolic >= 90 else 3
answer += 1 if heart_rate >= 100 else 0
answer += melena + 2 * syncope + 2 * liver + 2 * heart_failure
`,
	},
	{
		id: 28, name: "APACHE II Score", asks: "APACHE II score", score: true,
		inputs: []input{
			age, fever, systolic, diastolic, heartRate, breathing, inspired,
			arterialO2.or("None").joined(), bare("gradient", "A-a gradient", "alveolar-arterial oxygen gradient in mm Hg", 60, 540, 0).or("None").joined(),
			acidity, sodium, number("potassium", "Potassium", "serum potassium", monovalent, 2.3, 7.2, 1), serumCr, hematocrit, whiteCells, coma,
			yes("acute_renal", "Acute renal failure", "acute renal failure"),
			yes("chronic", "History of severe organ failure or immunocompromise", "severe organ failure or immunocompromise before admission"),
			oneOf("surgery", "Surgery Type", "admission type", "Nonoperative", "Elective", "Emergency").or(`"Nonoperative"`),
		},
		formula: `answer = 0 if age < 45 else 2 if age < 55 else 3 if age < 65 else 5 if age < 75 else 6
answer += 0 if not chronic else 2 if surgery == "Elective" else 5
answer += 4 if temperature >= 41 else 3 if temperature >= 39 else 1 if temperature >= 38.5 else 0 if temperature >= 36 else 1 if temperature >= 34 else 2 if temperature >= 32 else 3 if temperature >= 30 else 4
mean = (systolic + 2 * diastolic) / 3
answer += 4 if mean >= 160 else 3 if mean >= 130 else 2 if mean >= 110 else 0 if mean >= 70 else 2 if mean >= 50 else 4
answer += 4 if heart_rate >= 180 else 3 if heart_rate >= 140 else 2 if heart_rate >= 110 else 0 if heart_rate >= 70 else 2 if heart_rate >= 55 else 3 if heart_rate >= 40 else 4
answer += 4 if respiratory_rate >= 50 else 3 if respiratory_rate >= 35 else 1 if respiratory_rate >= 25 else 0 if respiratory_rate >= 12 else 1 if respiratory_rate >= 10 else 2 if respiratory_rate >= 6 else 4
by_gradient = gradient is not None and fio2 >= 50
answer += 0 if not by_gradient else 4 if gradient >= 500 else 3 if gradient >= 350 else 2 if gradient >= 200 else 0
by_pressure = pao2 is not None and fio2 < 50
answer += 0 if not by_pressure else 0 if pao2 > 70 else 1 if pao2 >= 61 else 3 if pao2 >= 55 else 4
answer += 4 if ph >= 7.7 else 3 if ph >= 7.6 else 1 if ph >= 7.5 else 0 if ph >= 7.33 else 2 if ph >= 7.25 else 3 if ph >= 7.15 else 4
answer += 4 if sodium >= 180 else 3 if sodium >= 160 else 2 if sodium >= 155 else 1 if sodium >= 150 else 0 if sodium >= 130 else 2 if sodium >= 120 else 3 if sodium >= 111 else 4
answer += 4 if potassium >= 7 else 3 if potassium >= 6 else 1 if potassium >= 5.5 else 0 if potassium >= 3.5 else 1 if potassium >= 3 else 2 if potassium >= 2.5 else 4
kidney = 4 if creatinine >= 3.5 else 3 if creatinine >= 2 else 2 if creatinine >= 1.5 else 0 if creatinine >= 0.6 else 2
answer += kidney * (2 if acute_renal else 1)
answer += 4 if hematocrit >= 60 else 2 if hematocrit >= 50 else 1 if hematocrit >= 46 else 0 if hematocrit >= 30 else 2 if hematocrit >= 20 else 4
thousands = white_cells / 1000
answer += 4 if thousands >= 40 else 2 if thousands >= 20 else 1 if thousands >= 15 else 0 if thousands >= 3 else 2 if thousands >= 1 else 4
answer += 15 - gcs
`,
	},
	{
		id: 29, name: "PSI Score: Pneumonia Severity Index for CAP", asks: "Pneumonia Severity Index", score: true,
		inputs: []input{
			sex, age, fever, systolic, heartRate, breathing, acidity, urea, sodium, sugar, hematocrit, arterialO2,
			yes("home", "Nursing home resident", "residence in a nursing home"), yes("cancer", "Neoplastic disease", "neoplastic disease"),
			yes("liver", "Liver disease severity", "liver disease"), heartFailure, yes("cerebrovascular", "Cerebrovascular disease history", "cerebrovascular disease"),
			yes("renal", "Renal disease", "renal disease"), yes("confused", "Altered mental status", "an altered mental status"),
			yes("effusion", "Pleural effusion on x-ray", "pleural effusion on the x-ray"),
		},
		formula: `answer = age - (10 if sex == "Female" else 0)
answer += 10 * home + 30 * cancer + 20 * liver + 10 * heart_failure + 10 * cerebrovascular + 10 * renal
answer += 20 * confused + 10 * effusion
answer += 20 if respiratory_rate >= 30 else 0
answer += 20 if systolic < 90 else 0
answer += 15 if temperature < 35 or temperature > 39.9 else 0
answer += 10 if heart_rate >= 125 else 0
answer += 30 if ph < 7.35 else 0
answer += 20 if bun >= 30 else 0
answer += 20 if sodium < 130 else 0
answer += 10 if glucose >= 250 else 0
answer += 10 if hematocrit < 30 else 0
answer += 10 if pao2 < 60 else 0
`,
	},
	{
		id: 30, name: "Serum Osmolality", asks: "serum osmolality in mOsm/kg",
		inputs:  []input{sodium, urea, sugar},
		formula: "answer = 2 * sodium + bun / 2.8 + glucose / 18\n",
	},
	{
		id: 31, name: "HOMA-IR (Homeostatic Model Assessment for Insulin Resistance)", asks: "HOMA-IR",
		inputs:  []input{number("glucose", "Glucose", "fasting glucose", glucose, 70, 230, 0), number("insulin", "Insulin", "fasting insulin", insulin, 2, 34, 1)},
		formula: "answer = insulin * glucose / 405\n",
	},
	{
		id: 32, name: "Charlson Comorbidity Index (CCI)", asks: "Charlson Comorbidity Index with points for age", score: true,
		inputs: []input{
			age, yes("infarction", "Myocardial infarction", "an earlier myocardial infarction"), heartFailure,
			yes("peripheral", "Peripheral vascular disease", "peripheral vascular disease"), yes("stroke", "Cerebrovascular Accident", "an earlier stroke"), transientAttack,
			yes("dementia", "Dementia", "dementia"), yes("copd", "Chronic Obstructive Pulmonary Disease", "chronic obstructive pulmonary disease"),
			yes("connective", "Connective tissue disease", "a connective tissue disease"), yes("ulcer", "Peptic ulcer disease", "peptic ulcer disease"),
			oneOf("liver", "Liver disease severity", "liver disease", "none", "Mild", "Moderate to Severe").or(`"none"`),
			oneOf("diabetes", "Diabetes mellitus criteria for CCI rule", "diabetes mellitus", "None or diet-controlled", "Uncomplicated", "End-organ damage").or(`"none"`),
			yes("hemiplegia", "Hemiplegia", "hemiplegia"),
			yes("kidney", "Moderate to severe Chronic Kidney Disease", "moderate to severe chronic kidney disease"),
			oneOf("tumor", "Solid tumor", "solid tumor", "none", "Localized", "Metastatic").or(`"none"`),
			yes("leukemia", "Leukemia", "leukemia"), yes("lymphoma", "Lymphoma", "lymphoma"), yes("aids", "AIDS", "AIDS"),
		},
		formula: `answer = 0 if age < 50 else 1 if age < 60 else 2 if age < 70 else 3 if age < 80 else 4
answer += infarction + heart_failure + peripheral + (1 if stroke or tia else 0) + dementia + copd + connective + ulcer
answer += 1 if liver == "Mild" else 3 if liver in ("Moderate", "Severe", "Moderate to Severe") else 0
answer += 1 if diabetes == "Uncomplicated" else 2 if diabetes == "End-organ damage" else 0
answer += 2 * (hemiplegia + kidney + leukemia + lymphoma)
answer += 2 if tumor == "Localized" else 6 if tumor == "Metastatic" else 0
answer += 6 * aids
`,
	},
	{
		id: 33, name: "FeverPAIN Score for Strep Pharyngitis", asks: "FeverPAIN score", score: true,
		inputs: []input{
			yes("fever", "Fever in past 24 hours", "fever in the last 24 hours"), yes("no_cough", "Absence of cough or coryza", "absence of cough and coryza"),
			yes("early", "Symptom onset ≤3 days", "onset within three days"), yes("purulent", "Purulent tonsils", "purulent tonsils"),
			yes("inflamed", "Severe tonsil inflammation", "severe inflammation of the tonsils"),
		},
		formula: "answer = 0 + fever + no_cough + early + purulent + inflamed\n",
	},
	{
		id: 36, name: "Caprini Score for Venous Thromboembolism (2005)", asks: "Caprini score of 2005, with a point for female sex", score: true,
		inputs: []input{
			sex, age, number("bmi", "Body Mass Index (BMI)", "body mass index", bodyMass, 18, 42, 1).or("0"),
			oneOf("surgery", "Surgery Type", "type of surgery", "none", "minor", "major", "laparoscopic", "arthroscopic", "elective major lower extremity arthroplasty").or(`"none"`),
			oneOf("mobility", "Mobility", "mobility", "normal", "on bed rest", "confined to bed >72 hours").or(`"normal"`),
			yes("recent_surgery", "Major Surgery in the last month", "major surgery in the last month"),
			yes("heart_failure", "Congestive Heart Failure in the last month", "congestive heart failure in the last month"),
			yes("sepsis", "Sepsis in the last month", "sepsis in the last month"), yes("pneumonia", "Pneumonia in the last month", "pneumonia in the last month"),
			yes("cast", "Immobilizing plaster cast in the last month", "an immobilizing plaster cast in the last month"),
			yes("fracture", "Hip, pelvis, or leg fracture in the last month", "a fracture of hip, pelvis or leg in the last month"),
			yes("stroke", "Stroke in the last month", "a stroke in the last month"), yes("trauma", "Multiple trauma in the last month", "multiple trauma in the last month"),
			yes("spinal", "Acute spinal cord injury causing paralysis in the last month", "an acute spinal cord injury with paralysis in the last month"),
			yes("varicose", "Varicose veins", "varicose veins"), yes("swollen", "Current swollen legs", "swollen legs"),
			yes("central_line", "Current central venous access", "a central venous access"), earlierDVT, earlierPE,
			yes("family", "Family history of thrombosis", "thrombosis in the family"), yes("leiden", "Positive Factor V Leiden", "factor V Leiden"),
			yes("prothrombin", "Positive prothrombin 20210A", "prothrombin 20210A"), yes("homocysteine", "Elevated serum homocysteine", "an elevated homocysteine"),
			yes("lupus", "Positive lupus anticoagulant", "lupus anticoagulant"), yes("anticardiolipin", "Elevated anticardiolipin antibody", "anticardiolipin antibodies"),
			yes("heparin", "Heparin-induced thrombocytopenia", "heparin-induced thrombocytopenia"),
			yes("thrombophilia", "Other congenital or acquired thrombophilia", "another thrombophilia"),
			yes("bowel", "History of inflammatory bowel disease", "inflammatory bowel disease"), yes("infarction", "Acute Myocardial infarction", "an acute myocardial infarction"),
			yes("copd", "Chronic Obstructive Pulmonary Disease", "chronic obstructive pulmonary disease"), yes("cancer", "Present or previous malignancy", "a present or earlier malignancy"),
		},
		formula: `answer = 0 if age <= 40 else 1 if age <= 60 else 2 if age <= 74 else 3
answer += 1 if sex == "Female" else 0
answer += 0 if surgery == "none" else 1 if surgery == "minor" else 5 if surgery == "elective major lower extremity arthroplasty" else 2
answer += recent_surgery + heart_failure + sepsis + pneumonia
answer += 2 * cast + 5 * (fracture + stroke + trauma + spinal)
answer += varicose + swollen + 2 * central_line
answer += 3 * (earlier_dvt + earlier_pe + family + leiden + prothrombin)
answer += 3 * (homocysteine + lupus + anticardiolipin + heparin + thrombophilia)
answer += 1 if mobility == "on bed rest" else 2 if mobility == "confined to bed >72 hours" else 0
answer += bowel + infarction + copd + 2 * cancer
answer += 1 if bmi > 25 else 0
`,
	},
	{
		id: 38, name: "Free Water Deficit", asks: "free water deficit in liters for an ideal sodium of 140 mEq/L, with body water of 0.6 of the weight (children, men), 0.5 (women, men of 65 and above) or 0.45 (women of 65 and above)",
		inputs: []input{sex, age, weight, sodium},
		formula: `share = 0.6 if sex == "Male" else 0.5
share = share if age < 65 else 0.5 if sex == "Male" else 0.45
share = 0.6 if age < 18 else share
answer = share * weight * (sodium / 140 - 1)
`,
	},
	{
		id: 39, name: "Anion Gap", asks: "anion gap in mEq/L", inputs: electrolytes,
		formula: gap + "answer = gap\n",
	},
	{
		id: 40, name: "Fractional Excretion of Sodium (FENa)", asks: "fractional excretion of sodium in per cent",
		inputs: []input{
			sodium, serumCr, number("urine_sodium", "Urine sodium", "urine sodium", monovalent, 8, 120, 0),
			number("urine_creatinine", "Urine creatinine", "urine creatinine", creatinine, 22, 190, 0),
		},
		formula: "answer = 100 * (urine_sodium * creatinine) / (sodium * urine_creatinine)\n",
	},
	{
		id: 43, name: "Sequential Organ Failure Assessment (SOFA) Score", asks: "SOFA score", score: true,
		inputs: []input{
			arterialO2, inspired, platelets, coma, totalBili, serumCr.or("None"),
			systolic.or("None"), diastolic.or("None").joined(), yes("hypotension", "Hypotension", "hypotension"),
			yes("ventilated", "On mechanical ventilation", "mechanical ventilation"), yes("cpap", "Continous positive airway pressure", "continuous positive airway pressure"),
			number("dopamine", "DOPamine", "dopamine", pressor, 0, 18, 1).or("0"), number("dobutamine", "DOBUTamine", "dobutamine", pressor, 0, 6, 1).or("0"),
			number("epinephrine", "EPINEPHrine", "epinephrine", pressor, 0, 0.3, 2).or("0"), number("norepinephrine", "norEPINEPHrine", "norepinephrine", pressor, 0, 0.3, 2).or("0"),
			number("urine", "Urine Output", "urine output", units{{"mL/day", "x"}}, 120, 2300, 0).or("None"),
		},
		formula: `ratio = pao2 / (fio2 / 100)
helped = ventilated or cpap
answer = 0 if ratio >= 400 else 1 if ratio >= 300 else 2 if ratio >= 200 or not helped else 3 if ratio >= 100 else 4
answer += 0 if platelets >= 150e3 else 1 if platelets >= 100e3 else 2 if platelets >= 50e3 else 3 if platelets >= 20e3 else 4
answer += 0 if gcs >= 15 else 1 if gcs >= 13 else 2 if gcs >= 10 else 3 if gcs >= 6 else 4
answer += 0 if bilirubin < 1.2 else 1 if bilirubin < 2 else 2 if bilirubin < 6 else 3 if bilirubin < 12 else 4
low = hypotension or (systolic is not None and diastolic is not None and (systolic + 2 * diastolic) / 3 < 70)
catecholamine = max(epinephrine, norepinephrine)
answer += 4 if dopamine > 15 or catecholamine > 0.1 else 3 if dopamine > 5 or catecholamine > 0 else 2 if dopamine > 0 or dobutamine > 0 else 1 if low else 0
kidney = 0 if creatinine is None or creatinine < 1.2 else 1 if creatinine < 2 else 2 if creatinine < 3.5 else 3 if creatinine < 5 else 4
output = 0 if urine is None or urine >= 500 else 3 if urine >= 200 else 4
answer += max(kidney, output)
`,
	},
	{
		id: 44, name: "LDL Calculated", asks: "LDL cholesterol by Friedewald's formula in mg/dL",
		inputs:  []input{totalChol, hdlChol, number("triglycerides", "Triglycerides", "triglycerides", triglycerides, 52, 340, 0)},
		formula: "answer = total_cholesterol - hdl - triglycerides / 5\n",
	},
	{
		id: 45, name: "CURB-65 Score for Pneumonia Severity", asks: "CURB-65 score", score: true,
		inputs: []input{age, systolic, diastolic, urea, breathing, yes("confusion", "Confusion", "confusion")},
		formula: `answer = 0 + confusion
answer += 1 if bun > 19 else 0
answer += 1 if respiratory_rate >= 30 else 0
answer += 1 if systolic < 90 or diastolic <= 60 else 0
answer += 1 if age >= 65 else 0
`,
	},
	{
		id: 46, name: "Framingham Risk Score for Hard Coronary Heart Disease", asks: "ten-year risk of hard coronary heart disease by the Framingham equation, in per cent",
		inputs: []input{
			sex, number("age", "age", "age", years, 31, 78, 0), totalChol, hdlChol, systolic, yes("smoker", "Smoker", "smoking"),
			yes("treated", "Blood pressure being treated with medicines", "treatment of blood pressure"),
		},
		// Adult Treatment Panel III, 2002: smoking counts up to an age of 70 in men and
		// 78 in women.
		formula: `lived = log(age)
total = log(total_cholesterol)
men = 52.00961 * lived + 20.014077 * total - 0.905964 * log(hdl) + 1.305784 * log(systolic)
men += 0.241549 * treated + 12.096316 * smoker - 4.605038 * lived * total
men += -2.84367 * log(min(age, 70)) * smoker - 2.93323 * lived ** 2 - 172.300168
women = 31.764001 * lived + 22.465206 * total - 1.187731 * log(hdl) + 2.552905 * log(systolic)
women += 0.420251 * treated + 13.07543 * smoker - 5.060998 * lived * total
women += -2.996945 * log(min(age, 78)) * smoker - 146.5933061
answer = 100 * (1 - (0.9402 ** exp(men) if sex == "Male" else 0.98767 ** exp(women)))
`,
	},
	{
		id: 48, name: "PERC Rule for Pulmonary Embolism", asks: "number of PERC criteria that are met", score: true,
		inputs: []input{
			age, heartRate, number("saturation", "O₂ saturation percentage", "oxygen saturation", percent, 86, 100, 0),
			yes("swelling", "Unilateral Leg Swelling", "swelling of one leg"), hemoptysis, yes("surgery", "Recent surgery or trauma", "recent surgery or trauma"),
			earlierPE, earlierDVT, yes("hormones", "Hormone use", "hormone use"),
		},
		formula: `answer = swelling + hemoptysis + surgery + hormones
answer += 1 if age >= 50 else 0
answer += 1 if heart_rate >= 100 else 0
answer += 1 if saturation < 95 else 0
answer += 1 if earlier_pe or earlier_dvt else 0
`,
	},
	{
		id: 49, name: "Morphine Milligram Equivalents (MME) Calculator", asks: "daily morphine milligram equivalents",
		inputs:  opioidInputs(),
		formula: opioidFormula(),
	},
	{
		id: 51, name: "SIRS Criteria", asks: "number of SIRS criteria that are met", score: true,
		inputs: []input{fever, heartRate, breathing, whiteCells, number("paco2", "PaCO₂", "arterial carbon dioxide pressure", mmHg, 24, 52, 0).or("40")},
		formula: `answer = 1 if temperature > 38 or temperature < 36 else 0
answer += 1 if heart_rate > 90 else 0
answer += 1 if respiratory_rate > 20 or paco2 < 32 else 0
answer += 1 if white_cells > 12000 or white_cells < 4000 else 0
`,
	},
	{
		id: 56, name: "QTc Fridericia Calculator", asks: "QT interval corrected by Fridericia's formula in msec",
		inputs:  []input{heartRate, qtInterval},
		formula: "answer = qt / (60 / heart_rate) ** (1 / 3)\n",
	},
	{
		id: 57, name: "QTc Framingham Calculator", asks: "QT interval corrected by the Framingham formula in msec",
		inputs:  []input{heartRate, qtInterval},
		formula: "answer = qt + 154 * (1 - 60 / heart_rate)\n",
	},
	{
		id: 58, name: "QTc Hodges Calculator", asks: "QT interval corrected by Hodges' formula in msec",
		inputs:  []input{heartRate, qtInterval},
		formula: "answer = qt + 1.75 * (heart_rate - 60)\n",
	},
	{
		id: 59, name: "QTc Rautaharju Calculator", asks: "QT interval corrected by Rautaharju's formula in msec",
		inputs:  []input{heartRate, qtInterval},
		formula: "answer = qt * (120 + heart_rate) / 180\n",
	},
	{
		id: 60, name: "Body Surface Area Calculator", asks: "body surface area by Mosteller's formula in m²",
		inputs:  []input{weight, height},
		formula: "answer = sqrt(weight * height / 3600)\n",
	},
	{
		id: 61, name: "Target weight", asks: "weight in kg at the body mass index that is aimed at",
		inputs:  []input{number("bmi", "Body Mass Index (BMI)", "target body mass index", bodyMass, 18.6, 25, 1), height},
		formula: "answer = bmi * (height / 100) ** 2\n",
	},
	{
		id: 62, name: "Adjusted Body Weight", asks: "adjusted body weight in kg, with Devine's ideal weight",
		inputs:  []input{sex, weight, height},
		formula: idealWeight + "answer = ideal + 0.4 * (weight - ideal)\n",
	},
	{
		id: 63, name: "Delta Gap", asks: "delta gap in mEq/L for a normal anion gap of 12", inputs: electrolytes,
		formula: gap + "answer = gap - 12\n",
	},
	{
		id: 64, name: "Delta Ratio", asks: "delta ratio for a normal anion gap of 12 and a normal bicarbonate of 24 mEq/L", inputs: electrolytes,
		formula: gap + "answer = (gap - 12) / (24 - bicarbonate)\n",
	},
	{
		id: 65, name: "Albumin Corrected Anion Gap", asks: "anion gap corrected for albumin in mEq/L, with a normal albumin of 4 g/dL",
		inputs:  append(electrolytes[:3:3], serumAlbumin),
		formula: correctedGap + "answer = corrected\n",
	},
	{
		id: 66, name: "Albumin Corrected Delta Gap", asks: "delta gap corrected for albumin in mEq/L, with a normal anion gap of 12 and a normal albumin of 4 g/dL",
		inputs:  append(electrolytes[:3:3], serumAlbumin),
		formula: correctedGap + "answer = corrected - 12\n",
	},
	{
		id: 67, name: "Albumin Corrected Delta Ratio", asks: "delta ratio corrected for albumin, with a normal anion gap of 12, a normal albumin of 4 g/dL and a normal bicarbonate of 24 mEq/L",
		inputs:  append(electrolytes[:3:3], serumAlbumin),
		formula: correctedGap + "answer = (corrected - 12) / (24 - bicarbonate)\n",
	},
	{
		id: 68, name: "Estimated of Conception", asks: "estimated date of conception, two weeks after the last period began",
		inputs:  []input{periodStart, cycleLength},
		formula: "answer = period + timedelta(days=14)\n",
	},
	{
		id: 69, name: "Estimated Gestational Age", asks: "gestational age in weeks and days on the current date",
		inputs: []input{periodStart, dated("today", "Current Date", "current date")},
		formula: `passed = (today - period).days
answer = (passed // 7, passed % 7)
`,
	},
}

// steroids are those of the conversion table, by the names of the benchmark.
var steroids = []string{
	"Betamethasone IV", "Cortisone PO", "Dexamethasone IV", "Dexamethasone PO", "Hydrocortisone IV", "Hydrocortisone PO",
	"MethylPrednisoLONE IV", "MethylPrednisoLONE PO", "PrednisoLONE PO", "PredniSONE PO", "Triamcinolone IV",
}

// opioids are the drugs of the conversion to morphine, with the factors of the
// CDC's guideline of 2022 for a dose in the unit given.
var opioids = []struct {
	name, entity, says string
	units              units
	low, high          float64
	factor             string
}{
	{"codeine", "Codeine", "codeine", milligrams, 15, 60, "0.15"},
	{"buccal_fentanyl", "FentaNYL buccal", "buccal fentanyl", micrograms, 20, 80, "0.13"},
	{"fentanyl_patch", "FentANYL patch", "fentanyl patch", patch, 12, 75, "2.4"},
	{"hydrocodone", "HYDROcodone", "hydrocodone", milligrams, 5, 30, "1"},
	{"hydromorphone", "HYDROmorphone", "hydromorphone", milligrams, 2, 8, "5"},
	{"methadone", "Methadone", "methadone", milligrams, 5, 30, "4.7"},
	{"morphine", "Morphine", "morphine", milligrams, 5, 60, "1"},
	{"oxycodone", "OxyCODONE", "oxycodone", milligrams, 5, 40, "1.5"},
	{"oxymorphone", "OxyMORphone", "oxymorphone", milligrams, 5, 20, "3"},
	{"tapentadol", "Tapentadol", "tapentadol", milligrams, 50, 100, "0.4"},
	{"tramadol", "TraMADol", "tramadol", milligrams, 50, 100, "0.2"},
}

// A patch's dose is micrograms an hour; the benchmark writes mg or µg beside the
// number, and means that.
var patch = units{{"µg", "x"}, {"mg", "x"}}

func opioidInputs() []input {
	var in []input
	for _, o := range opioids {
		in = append(in,
			number(o.name, o.entity+" Dose", o.says+", each dose", o.units, o.low, o.high, 0).or("0"),
			number(o.name+"_times", o.entity+" Dose Per Day", o.says+", doses", perDay, 1, 4, 0).or("0").joined())
	}
	return in
}

func opioidFormula() string {
	var b strings.Builder
	b.WriteString("answer = 0\n")
	for _, o := range opioids {
		b.WriteString("answer += " + o.factor + " * " + o.name + " * " + o.name + "_times\n")
	}
	return b.String()
}
