package hospital

// DiagnosisItem is a condition: a row of d_icd_diagnoses and a path of eICU's.
type DiagnosisItem struct {
	Code        string // ICD-9 without its dot
	Short, Long string
	Path        string // eICU's diagnosisstring

	key     string
	chronic bool
	share   float64 // chronic: of all adults; acute: weight among the reasons of a stay
	from    int     // age from which it occurs
	risk    float64 // of dying in hospital
	days    float64 // added to the stay
	drugs   []string
	signs   string // "lab+2 lab-1 …": standard deviations from normal
	labs    []string
	care    []chance // procedures
	grows   []string // specimens that are cultured
	leads   []chance // to other conditions, by key
}

// chance is something that happens to a share of those concerned.
type chance struct {
	what string
	p    float64
}

func chronic(key, code, short, long, path string, share float64, from int, drugs []string, signs string, labs []string, leads ...chance) DiagnosisItem {
	return DiagnosisItem{Code: code, Short: short, Long: long, Path: path, key: key, chronic: true, share: share, from: from, drugs: drugs, signs: signs, labs: labs, leads: leads}
}

func acute(key, code, short, long, path string, weight float64, from int, risk, days float64, drugs []string, signs string, labs []string, care []chance, grows []string, leads ...chance) DiagnosisItem {
	return DiagnosisItem{Code: code, Short: short, Long: long, Path: path, key: key, share: weight, from: from, risk: risk, days: days,
		drugs: drugs, signs: signs, labs: labs, care: care, grows: grows, leads: leads}
}

func some(what string, p float64) chance { return chance{what, p} }
func all(c ...chance) []chance           { return c }

var conditions = []DiagnosisItem{
	// What people bring along.
	chronic("htn", "4019", "High blood pressure NOS", "High blood pressure without further specification", "cardiovascular|ventricular disorders|hypertension", 0.46, 35, of("Lisinopril", "Amlodipine", "Metoprolol"), "sys+0.6 dia+0.4", nil),
	chronic("dm2", "25000", "Type 2 diabetes, uncomp", "Type 2 diabetes without complication", "endocrine|glucose metabolism|diabetes mellitus|type II", 0.24, 35, of("Insulin", "Metformin", "Glipizide"), "glu+2.5 a1c+5", of("sugar")),
	chronic("dm1", "25001", "Type 1 diabetes, uncomp", "Type 1 diabetes without complication", "endocrine|glucose metabolism|diabetes mellitus|type I", 0.03, 18, of("Insulin", "Insulin Glargine"), "glu+3.5 a1c+7", of("sugar")),
	chronic("lipid", "2724", "High blood lipids NOS", "High blood lipids, not further specified", "endocrine|fluids and electrolytes|hyperlipidemia", 0.3, 35, of("Atorvastatin"), "chol+1 trig+1.2", of("fat")),
	chronic("cad", "41401", "Coronary disease, native", "Coronary artery disease of a native vessel", "cardiovascular|chest pain / ASHD|coronary artery disease", 0.22, 45, of("Aspirin", "Metoprolol", "Atorvastatin"), "", of("heart")),
	chronic("chf", "4280", "Heart failure NOS", "Congestive heart failure, not further specified", "cardiovascular|ventricular disorders|congestive heart failure", 0.16, 50, of("Furosemide", "Lisinopril", "Spironolactone"), "bnp+14 na-0.8 bun+1", of("strain")),
	chronic("af", "42731", "Atrial fibrillation", "Fibrillation of the atria", "cardiovascular|arrhythmias|atrial fibrillation", 0.17, 50, of("Warfarin", "Diltiazem", "Digoxin"), "heart+1 inr+5 pt+4", of("level")),
	chronic("copd", "496", "Chronic airway obstr NEC", "Chronic airway obstruction, not elsewhere classified", "pulmonary|disorders of the airways|COPD", 0.13, 45, of("Albuterol Neb", "Ipratropium Neb", "Fluticasone"), "pco2+1.5 sao2-1.2 hco3+0.8", nil),
	chronic("asthma", "49390", "Asthma w/o attack", "Asthma without mention of an attack", "pulmonary|disorders of the airways|asthma / bronchospasm", 0.07, 18, of("Albuterol Neb", "Fluticasone"), "", nil),
	chronic("ckd", "5859", "Chronic kidney dis NOS", "Chronic kidney disease, stage not stated", "renal|disorder of kidney|chronic renal insufficiency", 0.13, 45, of("Sevelamer"), "cr+5 bun+3.5 k+0.6 phos+1 hgb-0.6", of("minerals")),
	chronic("thyroid", "2449", "Underactive thyroid NOS", "Underactivity of the thyroid gland, cause not stated", "endocrine|thyroid|hypothyroidism", 0.1, 30, of("Levothyroxine"), "tsh+3", of("thyroid")),
	chronic("depr", "311", "Depressive disorder NEC", "Depressive disorder, not elsewhere classified", "neurologic|altered mental status / pain|depression", 0.12, 18, of("Sertraline"), "", nil),
	chronic("reflux", "53081", "Reflux of the esophagus", "Reflux into the esophagus", "gastrointestinal|esophagus|GERD", 0.15, 25, of("Pantoprazole"), "", nil),
	chronic("gout", "2749", "Gout NOS", "Gout, not further specified", "musculoskeletal|joint disorders|gout", 0.05, 40, of("Allopurinol"), "", nil),
	chronic("prost", "60000", "Enlarged prostate", "Enlarged prostate without obstruction of the urine flow", "renal|disorder of urinary tract|benign prostatic hypertrophy", 0.08, 55, of("Tamsulosin"), "", nil),
	chronic("smoke", "3051", "Tobacco use", "Use of tobacco", "toxicology|substance use|tobacco abuse", 0.15, 18, nil, "", nil),
	chronic("alc", "30391", "Alcohol dependence, cont", "Dependence on alcohol, continuous", "toxicology|substance use|alcohol dependence", 0.08, 20, of("Thiamine", "Folic Acid", "Lorazepam"), "ast+3 plt-0.6 mg-1", of("liver")),
	chronic("cirr", "5715", "Liver cirrhosis, no alc", "Cirrhosis of the liver without mention of alcohol", "gastrointestinal|hepatic disease|cirrhosis", 0.05, 30, of("Lactulose", "Spironolactone"), "tbili+9 alb-1.6 plt-1.6 inr+3 na-1", of("liver", "coagulation")),
	chronic("anem", "2859", "Anemia NOS", "Anemia, not further specified", "hematology|bleeding and clotting|anemia", 0.18, 18, of("Ferrous Sulfate"), "hgb-1.5 hct-1.5 iron-1.5", of("iron")),
	chronic("obese", "27800", "Obesity NOS", "Obesity, not further specified", "endocrine|nutrition|obesity", 0.1, 18, nil, "", nil),
	chronic("dement", "29410", "Dementia elsewhere class", "Dementia in conditions classified elsewhere", "neurologic|altered mental status / pain|dementia", 0.06, 68, of("Quetiapine"), "", nil),
	chronic("osteo", "73300", "Osteoporosis NOS", "Osteoporosis, not further specified", "musculoskeletal|bone disorders|osteoporosis", 0.06, 60, nil, "", nil),
	chronic("oldmi", "412", "Old heart attack", "Heart attack in the past", "cardiovascular|chest pain / ASHD|myocardial infarction|remote", 0.08, 50, of("Aspirin", "Clopidogrel"), "", nil),

	// Why they come.
	acute("sepsis", "99591", "Sepsis", "Sepsis without failure of organs", "cardiovascular|shock / hypotension|sepsis", 9, 18, 0.1, 3, of("Vancomycin", "Piperacillin-Tazobactam", "0.9% Sodium Chloride"),
		"wbc+3 lac+2 heart+1.6 temp+1.8 sys-0.8 breath+1.2 neut+1.5", of("blood gas", "differential"), all(some("3893", 0.6), some("3891", 0.3)), of("BLOOD CULTURE", "URINE"), some("aki", 0.3), some("shock", 0.35)),
	acute("shock", "78552", "Septic shock", "Shock due to sepsis", "cardiovascular|shock / hypotension|septic shock", 0, 18, 0.22, 4, of("Norepinephrine", "Vasopressin", "Meropenem"),
		"lac+6 sys-1.6 dia-1.2 heart+1.2 ph-1.5 cr+2", of("blood gas", "coagulation"), all(some("3893", 0.8), some("9671", 0.3)), of("BLOOD CULTURE"), some("rf", 0.4)),
	acute("pna", "486", "Pneumonia, germ NOS", "Pneumonia, germ not stated", "pulmonary|pulmonary infections|pneumonia", 9, 18, 0.08, 2.5, of("Ceftriaxone", "Azithromycin", "Albuterol Neb"),
		"wbc+2.5 sao2-2 temp+1.4 breath+1.8 po2-1", of("blood gas", "differential"), all(some("3324", 0.2)), of("SPUTUM", "BLOOD CULTURE"), some("rf", 0.3), some("sepsis", 0.15)),
	acute("aspir", "5070", "Aspiration pneumonia", "Pneumonia after food or vomit was breathed in", "pulmonary|pulmonary infections|pneumonia|aspiration", 3, 40, 0.12, 3, of("Piperacillin-Tazobactam", "Metronidazole"),
		"wbc+2.2 sao2-2.4 temp+1.2 breath+1.6", of("blood gas"), all(some("9604", 0.4), some("3324", 0.2)), of("SPUTUM"), some("rf", 0.4)),
	acute("rf", "51881", "Acute resp failure", "Acute failure of breathing", "pulmonary|respiratory failure|acute respiratory failure", 4, 18, 0.14, 3.5, of("Propofol", "Fentanyl Citrate", "Midazolam", "Methylprednisolone"),
		"pco2+3 po2-1.5 sao2-2 ph-1.2 breath+2", of("blood gas"), all(some("9671", 0.55), some("9672", 0.3), some("9390", 0.3), some("9604", 0.6)), of("SPUTUM")),
	acute("mi", "41071", "Heart attack, subendo", "Heart attack below the inner lining, first episode", "cardiovascular|chest pain / ASHD|acute coronary syndrome|acute myocardial infarction", 7, 40, 0.06, 1.5, of("Aspirin", "Clopidogrel", "Heparin", "Metoprolol", "Nitroglycerin", "Atorvastatin"),
		"trop+40 ck+7 ckmb+9 heart+0.6", of("heart", "coagulation", "fat"), all(some("3722", 0.7), some("8856", 0.7), some("0066", 0.5)), nil, some("chf", 0.2)),
	acute("cabg", "4111", "Unstable coronary synd", "Unstable angina", "cardiovascular|chest pain / ASHD|angina|unstable", 5, 45, 0.02, 3, of("Aspirin", "Cefazolin", "Metoprolol", "Morphine Sulfate", "Phenylephrine"),
		"hgb-1.2 hct-1.2 plt-0.8 trop+6", of("heart", "coagulation", "blood gas"), all(some("3961", 0.8), some("3612", 0.45), some("3615", 0.6), some("3404", 0.6), some("9904", 0.35)), of("MRSA SCREEN"), some("bleed", 0.15)),
	acute("valve", "4241", "Aortic valve disorder", "Disorder of the aortic valve", "cardiovascular|valvular disorders|aortic stenosis", 3, 50, 0.03, 3, of("Cefazolin", "Metoprolol", "Oxycodone", "Warfarin"),
		"hgb-1.2 hct-1.2 plt-0.9", of("coagulation", "blood gas"), all(some("3521", 0.85), some("3961", 0.85), some("3404", 0.6), some("9904", 0.3)), of("MRSA SCREEN"), some("af", 0.3)),
	acute("acchf", "42823", "Acute on chr systolic HF", "Acute worsening of chronic systolic heart failure", "cardiovascular|ventricular disorders|congestive heart failure|acute on chronic", 6, 50, 0.06, 2, of("Furosemide", "Nitroglycerin", "Spironolactone"),
		"bnp+30 sao2-1.5 breath+1.2 bun+2 na-1 cr+1", of("strain", "heart"), all(some("8872", 0.6), some("9390", 0.2)), nil, some("effusion", 0.3), some("aki", 0.25)),
	acute("gib", "5789", "Bleeding, GI tract NOS", "Bleeding of stomach or gut, place not stated", "gastrointestinal|GI bleeding / PUD|GI bleeding", 6, 30, 0.05, 1.5, of("Pantoprazole", "Octreotide Acetate", "Lactated Ringers"),
		"hgb-2.6 hct-2.6 bun+2.5 heart+1.2 sys-0.8", of("coagulation", "iron"), all(some("4513", 0.7), some("9904", 0.75), some("9907", 0.25), some("4523", 0.2)), of("SEROLOGY/BLOOD"), some("bleed", 0.6)),
	acute("bleed", "2851", "Anemia after bleeding", "Anemia due to acute loss of blood", "hematology|bleeding and clotting|acute blood loss anemia", 0, 18, 0.02, 1, of("Ferrous Sulfate"), "hgb-1.8 hct-1.8", of("iron"), all(some("9904", 0.6)), nil),
	acute("stroke", "43491", "Stroke, artery closed", "Closure of an artery of the brain with stroke", "neurologic|disorders of vasculature|stroke|ischemic", 5, 45, 0.09, 3, of("Aspirin", "Atorvastatin", "Heparin"),
		"sys+1.4 dia+0.8 glu+0.6", of("coagulation", "fat"), all(some("8703", 0.8), some("9910", 0.2), some("9604", 0.3)), nil, some("aspir", 0.2)),
	acute("ich", "431", "Bleeding into the brain", "Bleeding into the tissue of the brain", "neurologic|disorders of vasculature|stroke|hemorrhagic", 4, 40, 0.24, 4, of("Levetiracetam", "Mannitol", "Amlodipine"),
		"sys+1.6 dia+1 inr+1", of("coagulation"), all(some("8703", 0.9), some("0221", 0.3), some("9671", 0.4)), nil, some("rf", 0.3)),
	acute("sah", "430", "Subarachnoid bleeding", "Bleeding under the arachnoid membrane", "neurologic|disorders of vasculature|stroke|subarachnoid", 2, 30, 0.18, 6, of("Nimodipine", "Levetiracetam", "Fentanyl Citrate"),
		"sys+1.2 na-1.2", nil, all(some("8841", 0.7), some("3972", 0.4), some("0221", 0.5)), nil),
	acute("seiz", "34590", "Epilepsy NOS, tractable", "Epilepsy that yields to treatment, not further specified", "neurologic|seizures|seizures", 3, 18, 0.02, 1, of("Levetiracetam", "Phenytoin", "Lorazepam"), "lac+1.5", of("blood gas"), all(some("8914", 0.6), some("8703", 0.5)), nil),
	acute("dka", "25013", "Ketoacidosis, type 1", "Type 1 diabetes with ketoacidosis, uncontrolled", "endocrine|glucose metabolism|DKA", 3, 18, 0.01, 0.5, of("Insulin", "0.9% Sodium Chloride", "Potassium Chloride", "Dextrose 50%"),
		"glu+16 gap+5 hco3-4 ph-4 k+1.5 heart+1.2", of("blood gas", "sugar"), all(some("3893", 0.15)), of("URINE"), some("dm1", 1)),
	acute("aki", "5849", "Acute kidney failure NOS", "Acute failure of the kidneys, cause not stated", "renal|disorder of kidney|acute renal failure", 3, 30, 0.06, 2, of("0.9% Sodium Chloride", "Sodium Bicarbonate"), "cr+8 bun+5 k+1.2 hco3-1.2 phos+1.5", of("minerals"), all(some("3995", 0.25), some("3895", 0.2)), nil),
	acute("uti", "5990", "Urinary infection NOS", "Infection of the urinary tract, place not stated", "renal|disorder of urinary tract|urinary tract infection", 3, 30, 0.02, 1, of("Levofloxacin", "Ceftriaxone"), "wbc+1.6 temp+1 heart+0.6", nil, nil, of("URINE")),
	acute("cell", "6826", "Cellulitis of the leg", "Cellulitis of the leg", "infectious diseases|skin, bone and joint infections|cellulitis", 2, 25, 0.01, 1, of("Vancomycin", "Cefazolin"), "wbc+1.8 temp+1", of("level"), all(some("8604", 0.2)), of("SWAB", "BLOOD CULTURE")),
	acute("panc", "5770", "Acute pancreatitis", "Acute inflammation of the pancreas", "gastrointestinal|pancreas|acute pancreatitis", 3, 25, 0.03, 3, of("Hydromorphone", "Lactated Ringers", "Ondansetron"), "lip+40 ca-1.2 wbc+1.6 heart+1 glu+1.5", of("pancreas", "liver", "minerals"), all(some("9915", 0.25), some("5110", 0.25)), nil),
	acute("chol", "57410", "Gallstones, chr inflamed", "Gallstones with chronic inflammation of the gallbladder", "gastrointestinal|biliary disease|cholecystitis", 2, 30, 0.01, 1.5, of("Piperacillin-Tazobactam", "Hydromorphone"), "tbili+4 alp+4 alt+4 ast+4 wbc+1.5", of("liver"), all(some("5123", 0.8), some("5110", 0.2)), of("BILE")),
	acute("enceph", "5722", "Hepatic encephalopathy", "Clouded mind due to failure of the liver", "gastrointestinal|hepatic disease|hepatic encephalopathy", 2, 35, 0.1, 2, of("Lactulose", "Metronidazole"), "tbili+8 inr+3 alb-1.5 na-1.2", of("liver", "coagulation"), all(some("5491", 0.5)), of("PERITONEAL FLUID"), some("cirr", 1)),
	acute("pe", "41519", "Lung embolism NEC", "Embolism of a lung artery, not elsewhere classified", "pulmonary|vascular disorders|pulmonary embolism", 3, 25, 0.05, 1.5, of("Heparin", "Enoxaparin", "Warfarin"), "sao2-2 heart+1.4 breath+1.4 trop+3 ptt+4", of("blood gas", "coagulation", "heart"), all(some("8841", 0), some("3878", 0.2), some("8872", 0.5)), nil),
	acute("gip", "56089", "Bowel obstruction NEC", "Obstruction of the bowel, not elsewhere classified", "gastrointestinal|bowel disorders|obstruction", 3, 35, 0.04, 4, of("Ondansetron", "Morphine Sulfate", "Famotidine"), "wbc+1.2 lac+1 k-1", of("minerals"), all(some("4562", 0.4), some("9604", 0), some("9915", 0.3), some("5459", 0.4)), nil),
	acute("trauma", "80505", "Broken neck vertebra", "Closed fracture of the fifth vertebra of the neck", "trauma - CNS|spine fractures|cervical", 2, 18, 0.05, 4, of("Oxycodone", "Methylprednisolone", "Enoxaparin"), "hgb-0.8", nil, all(some("8103", 0.6), some("8703", 0.6)), nil),
	acute("hip", "82021", "Broken hip, intertroch", "Closed fracture between the trochanters of the femur", "trauma - other injuries|extremity fractures|hip", 3, 60, 0.03, 2.5, of("Enoxaparin", "Oxycodone", "Cefazolin"), "hgb-1.4 hct-1.4", nil, all(some("7935", 0.8), some("9904", 0.35)), of("MRSA SCREEN"), some("bleed", 0.3), some("delir", 0.3)),
	acute("od", "9670", "Poisoning, barbiturates", "Poisoning by barbiturates", "toxicology|drug overdose|sedatives", 2, 18, 0.02, 0.5, of("0.9% Sodium Chloride", "Thiamine"), "breath-1.2 pco2+2 sys-0.6", of("blood gas"), all(some("9671", 0.35), some("9604", 0.3)), nil, some("depr", 0.7)),
	acute("cardarr", "4275", "Cardiac arrest", "Arrest of the heart", "cardiovascular|cardiac arrest|cardiac arrest", 2, 40, 0.45, 3, of("Norepinephrine", "Amiodarone", "Fentanyl Citrate", "Propofol"), "lac+8 ph-4 trop+15 sys-1 k+1", of("blood gas", "heart"), all(some("9960", 0.7), some("9671", 0.6), some("9981", 0.35)), nil, some("rf", 0.6), some("aki", 0.4)),

	// What comes along.
	acute("effusion", "5119", "Pleural effusion NOS", "Fluid around the lung, cause not stated", "pulmonary|disorders of lung parenchyma|pleural effusion", 0, 30, 0.01, 1, nil, "sao2-0.8", nil, all(some("3491", 0.5), some("3404", 0.3)), of("PLEURAL FLUID")),
	acute("lowna", "2761", "Low sodium", "Low sodium in the blood", "endocrine|fluids and electrolytes|hyponatremia", 0, 40, 0, 0.5, of("0.9% Sodium Chloride"), "na-3.5", nil, nil, nil),
	acute("highk", "2767", "High potassium", "High potassium in the blood", "endocrine|fluids and electrolytes|hyperkalemia", 0, 40, 0.01, 0.3, of("Calcium Gluconate", "Dextrose 50%", "Insulin"), "k+3.5", nil, nil, nil),
	acute("lowk", "2768", "Low potassium", "Low potassium in the blood", "endocrine|fluids and electrolytes|hypokalemia", 0, 18, 0, 0.3, of("Potassium Chloride", "Magnesium Sulfate"), "k-2.5", of("minerals"), nil, nil),
	acute("acid", "2762", "Acidosis", "Too much acid in the blood", "endocrine|acid-base disorders|metabolic acidosis", 0, 18, 0.04, 0.5, of("Sodium Bicarbonate"), "hco3-2.5 ph-2 gap+2", of("blood gas"), nil, nil),
	acute("lowplt", "2875", "Low platelets NOS", "Low number of platelets, cause not stated", "hematology|platelet disorders|thrombocytopenia", 0, 30, 0.02, 1, nil, "plt-2.2", of("coagulation"), all(some("9905", 0.3)), nil),
	acute("delir", "2930", "Delirium elsewhere class", "Delirium due to conditions classified elsewhere", "neurologic|altered mental status / pain|delirium", 0, 55, 0.01, 1.5, of("Haloperidol", "Quetiapine"), "", nil, nil, nil),
	acute("cdiff", "00845", "Gut infection, C diff", "Infection of the gut with Clostridium difficile", "infectious diseases|GI infections|C. difficile colitis", 0, 45, 0.03, 3, of("Metronidazole", "Vancomycin"), "wbc+3.5 alb-1", nil, nil, of("STOOL")),
	acute("thrush", "1120", "Yeast of the mouth", "Infection of the mouth with yeast", "infectious diseases|fungal infections|oral candidiasis", 0, 40, 0, 0.5, of("Fluconazole"), "", nil, nil, of("SWAB")),
	acute("sore", "70703", "Pressure sore, low back", "Pressure sore of the lower back", "dermatology|skin breakdown|pressure ulcer", 0, 60, 0, 2, nil, "alb-1.2", nil, nil, of("SWAB")),
}

// alongside are conditions that any stay may bring.
var alongside = []chance{{"lowk", 0.18}, {"lowna", 0.12}, {"highk", 0.07}, {"acid", 0.09}, {"lowplt", 0.09}, {"delir", 0.1}, {"uti", 0.1},
	{"cdiff", 0.04}, {"thrush", 0.03}, {"sore", 0.06}, {"effusion", 0.07}, {"aki", 0.1}, {"bleed", 0.05}}

// ProcedureItem is a row of d_icd_procedures and a path of eICU's treatments.
type ProcedureItem struct {
	Code, Short, Long string
	Path              string
}

var procedures = []ProcedureItem{
	{"9671", "Ventilation under 96 h", "Continuous mechanical ventilation for less than 96 hours in a row", "pulmonary|ventilation and oxygenation|mechanical ventilation|short term"},
	{"9672", "Ventilation 96 h or more", "Continuous mechanical ventilation for 96 hours in a row or more", "pulmonary|ventilation and oxygenation|mechanical ventilation|long term"},
	{"9604", "Breathing tube insertion", "Insertion of a tube into the windpipe", "pulmonary|ventilation and oxygenation|endotracheal tube|insertion"},
	{"9390", "Non-invasive ventilation", "Ventilation by mask", "pulmonary|ventilation and oxygenation|non-invasive ventilation"},
	{"3893", "Central line placement", "Placement of a catheter in a central vein", "cardiovascular|intravascular access|central venous line|placement"},
	{"3891", "Arterial line placement", "Placement of a catheter in an artery", "cardiovascular|intravascular access|arterial line|placement"},
	{"3895", "Dialysis line placement", "Placement of a catheter for dialysis of the kidneys", "renal|dialysis|dialysis catheter|placement"},
	{"3995", "Hemodialysis", "Dialysis of the blood", "renal|dialysis|hemodialysis"},
	{"3722", "Left heart catheter", "Catheter into the left heart", "cardiovascular|myocardial ischemia / infarction|cardiac catheterization|left heart"},
	{"8856", "Coronary contrast, two", "Imaging of the coronary arteries with two catheters", "cardiovascular|myocardial ischemia / infarction|coronary angiography"},
	{"0066", "Coronary balloon", "Widening of a coronary artery by balloon", "cardiovascular|myocardial ischemia / infarction|percutaneous coronary intervention|balloon"},
	{"3612", "Bypass, two coronaries", "Bypass from the aorta of two coronary arteries", "cardiovascular|myocardial ischemia / infarction|coronary bypass|two vessels"},
	{"3615", "Bypass, inner mammary", "Bypass from one inner mammary to a coronary artery", "cardiovascular|myocardial ischemia / infarction|coronary bypass|mammary artery"},
	{"3961", "Heart-lung machine", "Circulation outside the body during open heart surgery", "cardiovascular|cardiac surgery|extracorporeal circulation"},
	{"3521", "Aortic valve, tissue", "Replacement of the aortic valve by a graft of tissue", "cardiovascular|cardiac surgery|valve replacement|aortic"},
	{"3404", "Chest drain insertion", "Insertion of a drain between the ribs", "pulmonary|surgery / incision and drainage of thorax|chest tube placement"},
	{"3491", "Pleural tap", "Tapping of fluid around the lung", "pulmonary|radiologic procedures / bronchoscopy|thoracentesis"},
	{"3324", "Bronchoscopy, closed bx", "Closed biopsy of the airways by endoscope", "pulmonary|radiologic procedures / bronchoscopy|bronchoscopy"},
	{"4513", "Small bowel endoscopy", "Endoscopy of the small bowel", "gastrointestinal|endoscopy/gastric instrumentation|upper endoscopy"},
	{"4523", "Colonoscopy", "Endoscopy of the colon", "gastrointestinal|endoscopy/gastric instrumentation|colonoscopy"},
	{"5110", "Bile duct endoscopy", "Endoscopy of bile ducts with contrast", "gastrointestinal|endoscopy/gastric instrumentation|ERCP"},
	{"5123", "Gallbladder out, scope", "Removal of the gallbladder by laparoscope", "gastrointestinal|surgery|cholecystectomy|laparoscopic"},
	{"5491", "Belly tap", "Tapping of fluid from the belly", "gastrointestinal|drains / tubes|paracentesis"},
	{"4562", "Small bowel part out", "Removal of a part of the small bowel", "gastrointestinal|surgery|small bowel resection"},
	{"5459", "Belly adhesions freed", "Freeing of adhesions in the belly", "gastrointestinal|surgery|lysis of adhesions"},
	{"9904", "Red cell transfusion", "Transfusion of packed red cells", "hematology|red blood cell disorders|blood product administration|packed red cells"},
	{"9905", "Platelet transfusion", "Transfusion of platelets", "hematology|platelet disorders|blood product administration|platelets"},
	{"9907", "Serum transfusion NEC", "Transfusion of serum or plasma", "hematology|coagulation and platelets|blood product administration|plasma"},
	{"9915", "Feeding by vein", "Infusion of concentrated nutrients into a vein", "gastrointestinal|nutrition|parenteral feeding"},
	{"9910", "Clot-dissolving drug", "Injection of a drug that dissolves clots", "neurologic|therapy for stroke|thrombolytics"},
	{"9960", "Resuscitation NOS", "Resuscitation of heart and lungs", "cardiovascular|cardiac arrest|resuscitation"},
	{"9981", "Cooling of the body", "Cooling of the whole body", "cardiovascular|cardiac arrest|therapeutic hypothermia"},
	{"8703", "CT of the head", "Computed tomography of the head", "neurologic|procedures / diagnostics|head CT scan"},
	{"8841", "Brain artery contrast", "Imaging of the arteries of the brain with contrast", "neurologic|procedures / diagnostics|cerebral angiogram"},
	{"8872", "Heart ultrasound", "Ultrasound of the heart", "cardiovascular|non-operative procedures|echocardiography"},
	{"8914", "Brain wave recording", "Recording of brain waves", "neurologic|procedures / diagnostics|EEG"},
	{"3972", "Head vessel coiling", "Closure of a vessel of the head or neck from inside", "neurologic|procedures / therapeutics|aneurysm coiling"},
	{"0221", "Brain drain insertion", "Insertion of a drain into a ventricle of the brain", "neurologic|procedures / therapeutics|ventriculostomy"},
	{"3878", "Vena cava filter", "Interruption of the vena cava by a filter", "cardiovascular|vascular procedures|IVC filter"},
	{"8103", "Neck spine fusion, back", "Fusion of vertebrae of the neck from behind", "musculoskeletal|spine surgery|cervical fusion"},
	{"7935", "Femur fracture fixed", "Open setting of a fracture of the femur with fixation", "musculoskeletal|orthopedic surgery|femur fixation"},
	{"8604", "Skin incision, drain", "Incision of the skin with drainage", "infectious diseases|procedures|incision and drainage"},
}

// specimen is what is cultured, as either source calls it, and what may grow.
type specimen struct {
	name, eicu string
	item       int64
	germs      []string
	share      float64 // that grow something
}

var specimens = []specimen{
	{"BLOOD CULTURE", "Blood, Venipuncture", 70012, of("ESCHERICHIA COLI", "STAPH AUREUS COAG +", "STAPHYLOCOCCUS, COAGULASE NEGATIVE", "KLEBSIELLA PNEUMONIAE", "ENTEROCOCCUS SP."), 0.3},
	{"URINE", "Urine, Catheter Specimen", 70079, of("ESCHERICHIA COLI", "YEAST", "ENTEROCOCCUS SP.", "KLEBSIELLA PNEUMONIAE", "PROTEUS MIRABILIS"), 0.45},
	{"SPUTUM", "Sputum, Tracheal Specimen", 70062, of("STAPH AUREUS COAG +", "PSEUDOMONAS AERUGINOSA", "YEAST", "KLEBSIELLA PNEUMONIAE", "HAEMOPHILUS INFLUENZAE"), 0.5},
	{"SWAB", "Wound, Drainage Fluid", 70070, of("STAPH AUREUS COAG +", "PSEUDOMONAS AERUGINOSA", "BETA STREPTOCOCCUS GROUP B"), 0.6},
	{"STOOL", "Stool", 70064, of("CLOSTRIDIUM DIFFICILE"), 0.5},
	{"MRSA SCREEN", "Nasopharynx", 70091, of("POSITIVE FOR METHICILLIN RESISTANT STAPH AUREUS"), 0.15},
	{"BILE", "Bile", 70009, of("ESCHERICHIA COLI", "ENTEROCOCCUS SP."), 0.5},
	{"PLEURAL FLUID", "Pleural Fluid", 70054, of("STAPH AUREUS COAG +", "BETA STREPTOCOCCUS GROUP B"), 0.2},
	{"PERITONEAL FLUID", "Peritoneal Fluid", 70053, of("ESCHERICHIA COLI", "KLEBSIELLA PNEUMONIAE"), 0.25},
	{"SEROLOGY/BLOOD", "Blood, Central Line", 70017, of("POSITIVE FOR HELICOBACTER PYLORI ANTIBODY BY EIA"), 0.35},
}

var germItems = map[string]int64{"ESCHERICHIA COLI": 80002, "STAPH AUREUS COAG +": 80023, "STAPHYLOCOCCUS, COAGULASE NEGATIVE": 80155, "KLEBSIELLA PNEUMONIAE": 80004,
	"ENTEROCOCCUS SP.": 80053, "YEAST": 80075, "PROTEUS MIRABILIS": 80008, "PSEUDOMONAS AERUGINOSA": 80026, "HAEMOPHILUS INFLUENZAE": 80040,
	"BETA STREPTOCOCCUS GROUP B": 80088, "CLOSTRIDIUM DIFFICILE": 80139, "POSITIVE FOR METHICILLIN RESISTANT STAPH AUREUS": 80293, "POSITIVE FOR HELICOBACTER PYLORI ANTIBODY BY EIA": 80286}
