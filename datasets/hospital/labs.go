package hospital

import "slices"

// LabItem is a lab test: what MIMIC-III's d_labitems and eICU's lab call it, and
// what is normal.
type LabItem struct {
	ID              int64
	Label           string
	Fluid, Category string
	LOINC, Unit     string
	EICU            string
	Low, High       float64

	key      string
	mean, sd float64
	decimals int
	panel    string // tests that are ordered together
	floor    float64
}

var labItems = []LabItem{
	blood("na", 50983, "Sodium", "2951-2", "mEq/L", "sodium", 133, 145, 139, 3, 0, "metabolic", 110),
	blood("k", 50971, "Potassium", "2823-3", "mEq/L", "potassium", 3.3, 5.1, 4.1, 0.45, 1, "metabolic", 2.2),
	blood("cl", 50902, "Chloride", "2075-0", "mEq/L", "chloride", 96, 108, 103, 4, 0, "metabolic", 80),
	blood("hco3", 50882, "Bicarbonate", "1963-8", "mEq/L", "bicarbonate", 22, 32, 25, 3, 0, "metabolic", 8),
	blood("gap", 50868, "Anion Gap", "1863-0", "mEq/L", "anion gap", 8, 20, 13, 2.5, 0, "metabolic", 4),
	blood("bun", 51006, "Urea Nitrogen", "3094-0", "mg/dL", "BUN", 6, 20, 17, 6, 0, "metabolic", 3),
	blood("cr", 50912, "Creatinine", "2160-0", "mg/dL", "creatinine", 0.4, 1.2, 0.95, 0.25, 1, "metabolic", 0.3),
	blood("glu", 50931, "Glucose", "2345-7", "mg/dL", "glucose", 70, 105, 112, 18, 0, "metabolic", 42),
	blood("mg", 50960, "Magnesium", "2601-3", "mg/dL", "magnesium", 1.6, 2.6, 2.0, 0.25, 1, "minerals", 0.9),
	blood("ca", 50893, "Calcium, Total", "2000-8", "mg/dL", "calcium", 8.4, 10.2, 8.7, 0.5, 1, "minerals", 5.5),
	blood("phos", 50970, "Phosphate", "2777-1", "mg/dL", "phosphate", 2.7, 4.5, 3.4, 0.7, 1, "minerals", 0.8),
	count("wbc", 51301, "White Blood Cells", "804-5", "K/uL", "WBC x 1000", 4, 11, 8.6, 2.4, 1, "blood count", 0.4),
	count("hgb", 51222, "Hemoglobin", "718-7", "g/dL", "Hgb", 12, 17.5, 11.6, 1.4, 1, "blood count", 5),
	count("hct", 51221, "Hematocrit", "4544-3", "%", "Hct", 36, 50, 34.5, 4, 1, "blood count", 15),
	count("plt", 51265, "Platelet Count", "777-3", "K/uL", "platelets x 1000", 150, 440, 228, 70, 0, "blood count", 8),
	count("rdw", 51277, "RDW", "788-0", "%", "RDW", 10.5, 15.5, 14.6, 1.4, 1, "differential", 11),
	count("neut", 51256, "Neutrophils", "761-7", "%", "-polys", 50, 70, 71, 9, 1, "differential", 10),
	count("lymph", 51244, "Lymphocytes", "731-0", "%", "-lymphs", 18, 42, 19, 6, 1, "differential", 1),
	count("pt", 51274, "PT", "5902-2", "sec", "PT", 9.4, 12.5, 13.2, 1.2, 1, "coagulation", 9),
	count("inr", 51237, "INR(PT)", "5895-7", "ratio", "PT - INR", 0.9, 1.1, 1.2, 0.15, 1, "coagulation", 0.8),
	count("ptt", 51275, "PTT", "3173-2", "sec", "PTT", 25, 36.5, 31, 5, 1, "coagulation", 20),
	blood("alt", 50861, "Alanine Aminotransferase (ALT)", "1742-6", "IU/L", "ALT (SGPT)", 0, 40, 28, 11, 0, "liver", 5),
	blood("ast", 50878, "Asparate Aminotransferase (AST)", "1920-8", "IU/L", "AST (SGOT)", 0, 40, 31, 12, 0, "liver", 6),
	blood("alp", 50863, "Alkaline Phosphatase", "6768-6", "IU/L", "alkaline phos.", 40, 130, 82, 24, 0, "liver", 20),
	blood("tbili", 50885, "Bilirubin, Total", "1975-2", "mg/dL", "total bilirubin", 0, 1.5, 0.7, 0.3, 1, "liver", 0.1),
	blood("alb", 50862, "Albumin", "1751-7", "g/dL", "albumin", 3.5, 5.2, 3.3, 0.5, 1, "liver", 1.2),
	blood("trop", 51003, "Troponin T", "6598-7", "ng/mL", "troponin - T", 0, 0.1, 0.03, 0.02, 2, "heart", 0.01),
	blood("ck", 50910, "Creatine Kinase (CK)", "2157-6", "IU/L", "CPK", 39, 308, 130, 60, 0, "heart", 15),
	blood("ckmb", 50911, "Creatine Kinase, MB Isoenzyme", "6773-6", "ng/mL", "CPK-MB", 0, 10, 4, 2, 0, "heart", 1),
	blood("bnp", 50963, "NTproBNP", "33762-6", "pg/mL", "BNP", 0, 450, 240, 130, 0, "strain", 20),
	gas("ph", 50820, "pH", "11558-4", "units", "pH", 7.35, 7.45, 7.39, 0.04, 2, 6.9),
	gas("pco2", 50818, "pCO2", "11557-6", "mm Hg", "paCO2", 35, 45, 40, 5, 0, 18),
	gas("po2", 50821, "pO2", "11556-8", "mm Hg", "paO2", 85, 105, 104, 24, 0, 38),
	gas("lac", 50813, "Lactate", "32693-4", "mmol/L", "lactate", 0.5, 2, 1.5, 0.5, 1, 0.4),
	gas("be", 50802, "Base Excess", "11555-0", "mEq/L", "Base Excess", -3, 3, 0, 2, 0, -25),
	blood("lip", 50956, "Lipase", "3040-3", "IU/L", "lipase", 0, 60, 32, 12, 0, "pancreas", 5),
	blood("a1c", 50852, "% Hemoglobin A1c", "4548-4", "%", "Hgb A1c", 4.8, 5.9, 5.6, 0.3, 1, "sugar", 4),
	blood("tsh", 50993, "Thyroid Stimulating Hormone", "3016-3", "uIU/mL", "TSH", 0.27, 4.2, 2.1, 0.9, 1, "thyroid", 0.1),
	blood("chol", 50907, "Cholesterol, Total", "2093-3", "mg/dL", "total cholesterol", 0, 200, 168, 32, 0, "fat", 80),
	blood("trig", 51000, "Triglycerides", "2571-8", "mg/dL", "triglycerides", 0, 150, 126, 45, 0, "fat", 30),
	blood("fer", 50924, "Ferritin", "2276-4", "ng/mL", "ferritin", 13, 400, 180, 70, 0, "iron", 5),
	blood("iron", 50952, "Iron", "2498-4", "ug/dL", "Fe", 30, 160, 74, 22, 0, "iron", 8),
	blood("vanc", 51009, "Vancomycin", "4092-3", "ug/mL", "Vancomycin - trough", 10, 20, 15, 4, 1, "level", 3),
	blood("dig", 50917, "Digoxin", "10535-3", "ng/mL", "digoxin", 0.9, 2, 1.1, 0.3, 1, "level", 0.2),
}

func blood(key string, id int64, label, loinc, unit, eicu string, low, high, mean, sd float64, decimals int, panel string, floor float64) LabItem {
	return LabItem{ID: id, Label: label, Fluid: "Blood", Category: "Chemistry", LOINC: loinc, Unit: unit, EICU: eicu, Low: low, High: high,
		key: key, mean: mean, sd: sd, decimals: decimals, panel: panel, floor: floor}
}

func count(key string, id int64, label, loinc, unit, eicu string, low, high, mean, sd float64, decimals int, panel string, floor float64) LabItem {
	item := blood(key, id, label, loinc, unit, eicu, low, high, mean, sd, decimals, panel, floor)
	item.Category = "Hematology"
	return item
}

func gas(key string, id int64, label, loinc, unit, eicu string, low, high, mean, sd float64, decimals int, floor float64) LabItem {
	item := blood(key, id, label, loinc, unit, eicu, low, high, mean, sd, decimals, "blood gas", floor)
	item.Category = "Blood Gas"
	return item
}

// FluidItem is something that goes in or out: an item of MIMIC-III's d_items, a cell
// of eICU's flowsheet.
type FluidItem struct {
	ID       int64
	Label    string
	In       bool
	EICU     string // celllabel
	Path     string // cellpath
	Category string

	low, high float64
	share     float64 // of the stays that have it
	need      string  // the procedure or condition it comes with
}

const sheet = "flowsheet|Flowsheet Cell Labels|I&O|"

var fluidItems = []FluidItem{
	{30018, ".9% Normal Saline", true, "NS IVF", sheet + "Intake (ml)|Generic Intake (ml)|NS IVF", "", 100, 1000, 0.8, ""},
	{30013, "D5W", true, "D5W IVF", sheet + "Intake (ml)|Generic Intake (ml)|D5W IVF", "", 25, 250, 0.35, ""},
	{30021, "Lactated Ringers", true, "LR IVF", sheet + "Intake (ml)|Crystalloids (ml)|LR IVF", "", 250, 1000, 0.3, ""},
	{30020, ".45% Normal Saline", true, "1/2NS IVF", sheet + "Intake (ml)|Crystalloids (ml)|1/2NS IVF", "", 75, 500, 0.15, ""},
	{30056, "Po Intake", true, "P.O.", sheet + "Intake (ml)|Generic Intake (ml)|P.O.", "", 60, 480, 0.55, ""},
	{30144, "Gastric Meds", true, "Piggyback", sheet + "Intake (ml)|Generic Intake (ml)|Piggyback", "", 20, 120, 0.25, ""},
	{30090, "Tube Feeding", true, "Enteral formula", sheet + "Intake (ml)|Generic Intake (ml)|Enteral formula", "", 120, 480, 1, "9604"},
	{30032, "TPN", true, "Parenteral nutrition", sheet + "Intake (ml)|Generic Intake (ml)|Parenteral nutrition", "", 240, 700, 1, "9915"},
	{30001, "Packed RBC's", true, "Volume (ml)-Transfuse red blood cells", sheet + "Intake (ml)|Blood products|Volume (ml)-Transfuse red blood cells", "", 280, 375, 1, "9904"},
	{30005, "Fresh Frozen Plasma", true, "Volume (ml)-Transfuse fresh frozen plasma", sheet + "Intake (ml)|Blood products|Volume (ml)-Transfuse fresh frozen plasma", "", 200, 300, 1, "9907"},
	{40055, "Urine Out Foley", false, "Urinary catheter", sheet + "Output (ml)|Urinary catheter", "", 60, 600, 0.75, ""},
	{40069, "Urine Out Void", false, "Urine", sheet + "Output (ml)|Urine", "", 100, 550, 0.35, ""},
	{40054, "Stool Out Stool", false, "Stool", sheet + "Output (ml)|Stool", "", 50, 500, 0.2, ""},
	{40052, "Gastric Nasogastric", false, "Nasogastric tube", sheet + "Output (ml)|Nasogastric tube", "", 30, 400, 0.7, "9604"},
	{40071, "Drain Out #1 Jackson Pratt", false, "Drain #1 Jackson Pratt", sheet + "Output (ml)|Drain #1 Jackson Pratt", "", 10, 180, 1, "5123"},
	{40076, "Chest Tubes CTICU CT 1", false, "Chest tube", sheet + "Output (ml)|Chest tube", "", 20, 250, 1, "3404"},
	{40286, "Ultrafiltrate Ultrafiltrate", false, "Dialysis fluid removed", sheet + "Output (ml)|Dialysis fluid removed", "", 500, 3000, 1, "3995"},
	{40060, "Pre-Admission Output Pre-Admission Output", false, "Output before admission", sheet + "Output (ml)|Output before admission", "", 100, 1500, 0.12, ""},
}

// VitalItem is one of the nine signs of chartevents that EHRSQL asks about.
type VitalItem struct {
	ID    int64
	Label string
	Unit  string
	EICU  string // column of vitalperiodic or patient
}

// VitalItems lists them: temperature, oxygen saturation, heart and respiratory rate,
// systolic, diastolic and mean pressure, weight and height at admission.
func VitalItems() []VitalItem { return slices.Clone(vitalItems) }

var vitalItems = []VitalItem{
	{677, "Temperature C (calc)", "Deg. C", "temperature"},
	{834, "SaO2", "%", "sao2"},
	{211, "Heart Rate", "BPM", "heartrate"},
	{618, "Respiratory Rate", "BPM", "respiration"},
	{51, "Arterial BP [Systolic]", "mmHg", "systemicsystolic"},
	{8368, "Arterial BP [Diastolic]", "mmHg", "systemicdiastolic"},
	{52, "Arterial BP Mean", "mmHg", "systemicmean"},
	{762, "Admit Wt", "kg", "admissionweight"},
	{920, "Admit Ht", "cm", "admissionheight"},
}
