package ehrdb

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A made-up eICU: one patient with two hospital stays, one stay whose offsets
// contradict each other.
var eicuHospital = map[string]string{
	"Patient.csv": "patientunitstayid,patienthealthsystemstayid,uniquepid,gender,age,ethnicity,hospitalid,wardid,admissionheight,admissionweight,dischargeweight,hospitaladmitsource,hospitaldischargestatus,hospitaladmitoffset,hospitaladmittime24,unitdischargeoffset,hospitaldischargeoffset,hospitaldischargeyear\n" +
		"100,10,002-1,Female,> 89,Caucasian,1,2,157.5,60,61.5,Emergency Room,Alive,-60,08:30:00,600,1200,2014\n" +
		"101,11,002-1,Female,> 89,Caucasian,1,2,,,,,Expired,0,08:30:00,600,1200,2015\n" +
		"102,12,002-2,Male,50,Asian,1,2,,,,Floor,Alive,5,08:30:00,600,1200,2015\n",
	"diagnosis.csv":     "diagnosisid,patientunitstayid,diagnosisoffset,diagnosisstring,icd9code\n1,100,30,A|b|C|d|e,401.9\n2,100,30,x|y|c|D,\n3,101,30,a|b|c|d,\n4,100,30,a,\n",
	"treatment.csv":     "treatmentid,patientunitstayid,treatmentoffset,treatmentstring\n1,100,-60,a|b|Drug\n",
	"lab.csv":           "labid,patientunitstayid,labresultoffset,labname,labresult\n1,100,10,Sodium,140.0\n2,100,10,Sodium,\n",
	"medication.csv":    "medicationid,patientunitstayid,drugstartoffset,drugstopoffset,drugname,dosage,routeadmin,drugordercancelled\n1,100,0,60,X,5 mg,PO,No\n2,100,0,60,X,5 mg,PO,Yes\n",
	"allergy.csv":       "allergyid,patientunitstayid,allergyoffset,drugname,allergyname\n1,100,0,,Penicillins\n",
	"intakeOutput.csv":  "intakeoutputid,patientunitstayid,intakeoutputoffset,cellpath,celllabel,cellvaluenumeric\n1,100,5,f|Intake (ml)|P.O. Intake,P.O. Intake,200\n2,100,5,f|weight,Bodyweight,60\n",
	"microLab.csv":      "microlabid,patientunitstayid,culturetakenoffset,culturesite,organism\n1,100,5,Blood,None\n",
	"vitalPeriodic.csv": "vitalperiodicid,patientunitstayid,observationoffset,temperature,sao2,heartrate,respiration,systemicsystolic,systemicdiastolic,systemicmean\n1,100,5,36.6,98.0,80,,,,\n2,102,5,,,,,,,\n",
}

func TestEICU(t *testing.T) {
	db, report := built(t, Options{Schema: EICU(), Files: write(t, eicuHospital), Clock: Clock{Now: time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)}}, Limits{})
	if len(report.Absent) > 0 || report.Patients != 1 {
		t.Errorf("%d patients, absent %v", report.Patients, report.Absent)
	}
	for query, want := range map[string]string{
		"select patientunitstayid, age, hospitaladmitsource from patient order by 1":                                              "[[100 90 emergency room] [101 91 unknown]]",
		"select strftime('%H:%M', hospitaladmittime), strftime('%H:%M', unitadmittime) from patient where age=90":                 "[[08:30 09:30]]",
		"select strftime('%y', hospitaladmittime) from patient order by patientunitstayid":                                        "[[2014] [2015]]",
		"select diagnosisname, icd9code from diagnosis":                                                                           "[[c - d 401.9] [c - d <nil>]]",
		"select t.treatmentname, p.hospitaladmittime = t.treatmenttime from treatment t join patient p using (patientunitstayid)": "[[drug 1]]",
		"select labname, labresult from lab":                                                                                      "[[sodium 140]]",
		"select drugname, dosage, routeadmin from medication":                                                                     "[[x 5 mg po]]",
		"select drugname, allergyname from allergy":                                                                               "[[<nil> penicillins]]",
		"select celllabel, cellvaluenumeric from intakeoutput":                                                                    "[[p.o. 200]]",
		"select culturesite, organism from microlab":                                                                              "[[blood none]]",
		"select temperature, sao2, respiration from vitalperiodic":                                                                "[[36.6 98 <nil>]]",
		"select eventtype, count(*), count(distinct cost) from cost group by 1 order by 1":                                        "[[diagnosis 2 1] [lab 1 1] [medication 1 1] [treatment 1 1]]",
	} {
		if got, err := db.Query(t.Context(), query); err != nil || fmt.Sprint(got.Rows) != want {
			t.Errorf("%s: got %v, %v; want %s", query, got.Rows, err, want)
		}
	}
	for table, reasons := range map[string][]string{"patient": {"inconsistent_offsets"}, "diagnosis": {"short_path", "unusual_path"},
		"lab": {"null_labresult"}, "medication": {"cancelled"}, "intakeoutput": {"no_volume"}, "vitalperiodic": {"not_in_cohort"}} {
		counts, _ := report.Table(table)
		for _, reason := range reasons {
			if counts.Skipped[reason] != 1 {
				t.Errorf("%s: %+v, want %s once", table, counts, reason)
			}
		}
		if !slices.ContainsFunc(EICU().Tables, func(s Table) bool { return s.Name == table }) {
			t.Errorf("no table %s", table)
		}
	}
}
