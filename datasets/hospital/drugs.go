package hospital

// DrugItem is a drug on the hospital's list. Each has one unit.
type DrugItem struct {
	Name, Formulary string
	Type            string // MAIN, BASE
	Unit            string
	Doses, Routes   []string
	EICU            string // as eICU's medication names it
}

func drug(name, formulary, unit, eicu string, doses, routes []string) DrugItem {
	return DrugItem{Name: name, Formulary: formulary, Type: "MAIN", Unit: unit, Doses: doses, Routes: routes, EICU: eicu}
}

func of(s ...string) []string { return s }

var drugItems = []DrugItem{
	drug("Aspirin", "ASA81", "mg", "aspirin ec 81 mg tablet", of("81", "325"), of("PO", "PR")),
	drug("Metoprolol", "METO25", "mg", "metoprolol tartrate 25 mg tablet", of("25", "50", "5"), of("PO", "IV")),
	drug("Lisinopril", "LISI5", "mg", "lisinopril 5 mg tablet", of("5", "10", "20"), of("PO")),
	drug("Amlodipine", "AMLO5", "mg", "amlodipine besylate 5 mg tablet", of("5", "10"), of("PO")),
	drug("Furosemide", "FURO40I", "mg", "furosemide 10 mg/ml injection", of("20", "40", "80"), of("IV", "PO")),
	drug("Spironolactone", "ALDA25", "mg", "spironolactone 25 mg tablet", of("25", "50"), of("PO")),
	drug("Atorvastatin", "ATOR40", "mg", "atorvastatin calcium 40 mg tablet", of("20", "40", "80"), of("PO")),
	drug("Clopidogrel", "CLOP75", "mg", "clopidogrel 75 mg tablet", of("75", "300"), of("PO")),
	drug("Nitroglycerin", "NTG5I", "mcg", "nitroglycerin 200 mcg/ml infusion", of("50", "100", "200"), of("IV DRIP", "SL")),
	drug("Heparin", "HEPA5I", "UNIT", "heparin 5000 unit/ml injection", of("5000", "1000"), of("SC", "IV")),
	drug("Enoxaparin", "ENOX40I", "mg", "enoxaparin 40 mg/0.4 ml syringe", of("40", "60", "80"), of("SC")),
	drug("Warfarin", "WARF2", "mg", "warfarin sodium 2 mg tablet", of("1", "2", "5"), of("PO")),
	drug("Digoxin", "DIGO125", "mcg", "digoxin 125 mcg tablet", of("125", "250"), of("PO", "IV")),
	drug("Amiodarone", "AMIO200", "mg", "amiodarone 200 mg tablet", of("150", "200", "400"), of("PO", "IV")),
	drug("Diltiazem", "DILT30", "mg", "diltiazem 30 mg tablet", of("30", "60", "10"), of("PO", "IV")),
	drug("Insulin", "INSULIN", "UNIT", "insulin regular human 100 unit/ml", of("2", "4", "6", "8", "10"), of("SC", "IV DRIP")),
	drug("Insulin Glargine", "GLAR100I", "UNIT", "insulin glargine 100 unit/ml", of("10", "16", "22", "30"), of("SC")),
	drug("Metformin", "METF500", "mg", "metformin 500 mg tablet", of("500", "850", "1000"), of("PO")),
	drug("Glipizide", "GLIP5", "mg", "glipizide 5 mg tablet", of("5", "10"), of("PO")),
	drug("Dextrose 50%", "DEX50I", "gm", "dextrose 50% injection", of("12", "25"), of("IV")),
	drug("Vancomycin", "VANC1F", "mg", "vancomycin 1 gram ivpb", of("750", "1000", "1500"), of("IV")),
	drug("Piperacillin-Tazobactam", "PIPE4F", "g", "piperacillin-tazobactam 4.5 gram ivpb", of("2", "4"), of("IV")),
	drug("Ceftriaxone", "CEFX1F", "g", "ceftriaxone 1 gram ivpb", of("1", "2"), of("IV")),
	drug("Cefazolin", "CEFA1F", "g", "cefazolin 1 gram ivpb", of("1", "2"), of("IV")),
	drug("Cefepime", "CEFE1F", "g", "cefepime 2 gram ivpb", of("1", "2"), of("IV")),
	drug("Meropenem", "MERO500I", "mg", "meropenem 500 mg ivpb", of("500", "1000"), of("IV")),
	drug("Levofloxacin", "LEVO500", "mg", "levofloxacin 500 mg/100 ml ivpb", of("250", "500", "750"), of("IV", "PO")),
	drug("Azithromycin", "AZIT250", "mg", "azithromycin 500 mg ivpb", of("250", "500"), of("PO", "IV")),
	drug("Metronidazole", "METR500", "mg", "metronidazole 500 mg/100 ml ivpb", of("500"), of("IV", "PO")),
	drug("Fluconazole", "FLUC200", "mg", "fluconazole 200 mg tablet", of("100", "200", "400"), of("PO", "IV")),
	drug("Norepinephrine", "NORE4I", "mg", "norepinephrine 4 mg/250 ml infusion", of("4", "8", "16"), of("IV DRIP")),
	drug("Vasopressin", "VASO20I", "UNIT", "vasopressin 20 unit/ml infusion", of("20", "40"), of("IV DRIP")),
	drug("Phenylephrine", "PHEN10I", "mg", "phenylephrine 10 mg/ml infusion", of("10", "60"), of("IV DRIP")),
	drug("Propofol", "PROP100I", "mg", "propofol 10 mg/ml emulsion", of("200", "500", "1000"), of("IV DRIP")),
	drug("Midazolam", "MIDA5I", "mg", "midazolam 5 mg/ml injection", of("1", "2", "5"), of("IV")),
	drug("Fentanyl Citrate", "FENT2I", "mcg", "fentanyl 50 mcg/ml injection", of("25", "50", "100"), of("IV", "IV DRIP")),
	drug("Morphine Sulfate", "MORP2I", "mg", "morphine 4 mg/ml injection", of("1", "2", "4"), of("IV", "SC")),
	drug("Hydromorphone", "HYDR2I", "mg", "hydromorphone 2 mg/ml injection", of("1", "2"), of("IV", "PO")),
	drug("Oxycodone", "OXYC5", "mg", "oxycodone 5 mg tablet", of("5", "10"), of("PO")),
	drug("Acetaminophen", "ACET325", "mg", "acetaminophen 325 mg tablet", of("325", "650", "1000"), of("PO", "PR", "NG")),
	drug("Lorazepam", "LORA2I", "mg", "lorazepam 2 mg/ml injection", of("1", "2"), of("IV", "PO")),
	drug("Haloperidol", "HALD5I", "mg", "haloperidol lactate 5 mg/ml injection", of("1", "2", "5"), of("IV", "PO")),
	drug("Thiamine", "THIA100", "mg", "thiamine 100 mg tablet", of("100"), of("PO", "IV")),
	drug("Folic Acid", "FOLI1", "mg", "folic acid 1 mg tablet", of("1"), of("PO", "IV")),
	drug("Levetiracetam", "LEVE500", "mg", "levetiracetam 500 mg tablet", of("500", "750", "1000"), of("PO", "IV")),
	drug("Phenytoin", "PHEN100", "mg", "phenytoin 100 mg capsule", of("100", "300"), of("PO", "IV")),
	drug("Pantoprazole", "PANT40", "mg", "pantoprazole 40 mg injection", of("40", "80"), of("PO", "IV")),
	drug("Famotidine", "FAMO20", "mg", "famotidine 20 mg tablet", of("20"), of("PO", "IV")),
	drug("Lactulose", "LACT30L", "mL", "lactulose 20 g/30 ml solution", of("15", "30", "60"), of("PO", "NG", "PR")),
	drug("Docusate Sodium", "DOCU100", "mg", "docusate sodium 100 mg capsule", of("100"), of("PO", "NG")),
	drug("Senna", "SENN187", "TAB", "senna 8.6 mg tablet", of("1", "2"), of("PO")),
	drug("Bisacodyl", "BISA5", "mg", "bisacodyl 10 mg suppository", of("5", "10"), of("PO", "PR")),
	drug("Ondansetron", "ONDA4I", "mg", "ondansetron 4 mg/2 ml injection", of("4", "8"), of("IV", "PO")),
	drug("Prednisone", "PRED20", "mg", "prednisone 20 mg tablet", of("10", "20", "40"), of("PO")),
	drug("Methylprednisolone", "MTHP125I", "mg", "methylprednisolone 125 mg injection", of("40", "60", "125"), of("IV")),
	drug("Albuterol Neb", "ALBU3H", "NEB", "albuterol 2.5 mg/3 ml nebulizer", of("1"), of("IH")),
	drug("Ipratropium Neb", "IPRA2H", "NEB", "ipratropium 0.5 mg nebulizer", of("1"), of("IH")),
	drug("Fluticasone", "FLUT110", "PUFF", "fluticasone 110 mcg inhaler", of("2", "4"), of("IH")),
	drug("Levothyroxine", "LEVO50", "mcg", "levothyroxine 50 mcg tablet", of("25", "50", "100"), of("PO")),
	drug("Sertraline", "SERT50", "mg", "sertraline 50 mg tablet", of("50", "100"), of("PO")),
	drug("Quetiapine", "QUET25", "mg", "quetiapine 25 mg tablet", of("25", "50"), of("PO", "NG")),
	drug("Allopurinol", "ALLO100", "mg", "allopurinol 100 mg tablet", of("100", "300"), of("PO")),
	drug("Tamsulosin", "TAMS4", "CAP", "tamsulosin 0.4 mg capsule", of("1"), of("PO")),
	drug("Sevelamer", "SEVE800", "mg", "sevelamer 800 mg tablet", of("800", "1600"), of("PO")),
	drug("Calcium Gluconate", "CALG2I", "g", "calcium gluconate 1 gram injection", of("1", "2"), of("IV")),
	drug("Magnesium Sulfate", "MAGS1I", "g", "magnesium sulfate 2 gram/50 ml ivpb", of("2", "4"), of("IV")),
	drug("Potassium Chloride", "KCL20P", "mEq", "potassium chloride 20 meq tablet", of("20", "40", "60"), of("PO", "IV")),
	drug("Sodium Bicarbonate", "SODB650", "mEq", "sodium bicarbonate 50 meq syringe", of("50", "100"), of("IV")),
	drug("Octreotide Acetate", "OCTR100I", "mcg", "octreotide 100 mcg/ml injection", of("50", "100"), of("IV DRIP", "SC")),
	drug("Mannitol", "MANN25I", "g", "mannitol 20% infusion", of("25", "50"), of("IV")),
	drug("Nimodipine", "NIMO30", "mg", "nimodipine 30 mg capsule", of("30", "60"), of("PO", "NG")),
	drug("Ferrous Sulfate", "FERR325", "mg", "ferrous sulfate 325 mg tablet", of("325"), of("PO")),
	{"0.9% Sodium Chloride", "NS1000", "BASE", "mL", of("250", "500", "1000"), of("IV"), "sodium chloride 0.9% infusion"},
	{"D5W", "D5W250", "BASE", "mL", of("50", "250", "1000"), of("IV"), "dextrose 5% infusion"},
	{"Lactated Ringers", "LR1000", "BASE", "mL", of("500", "1000"), of("IV"), "lactated ringers infusion"},
}
