package schemas

import "github.com/apache/arrow/go/v17/arrow"

// Table is one table of the contract: its name and its columns as Arrow types.
type Table struct {
	Name  string // tasks, screening, validation, trajectories, or the config of a training set
	Arrow *arrow.Schema
}

// Tables lists every table, in the order of the road.
func Tables() []Table {
	return []Table{
		{"tasks", TaskSchema()},
		{"screening", ScreeningSchema()},
		{"validation", ValidationSchema()},
		{"trajectories", TrajectorySchema()},
		{ConfigSFT, SFTSchema()},
		{ConfigDPO, DPOSchema()},
		{ConfigVerifier, VerifierSchema()},
	}
}

// TaskSchema is the tasks table.
func TaskSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		text("task_id"), text("source"), text("split"), text("subset"), text("category"),
		text("domain"), text("kind"), text("distribution"), text("access_tier"), text("license"),
		text("question"), text("context"), text("instruction"), list("actions", arrow.BinaryTypes.String),
		text("answer_type"), text("answer"), double("answer_lower"), double("answer_upper"),
		list("resources", arrow.StructOf(text("name"), text("kind"), text("path"), text("sha256"), int64s("bytes"))),
		text("gold"), text("gold_kind"), text("status"), text("status_reason"),
		text("content_sha256"), text("raw_file"), int64s("raw_line"), text("raw_sha256"), text("adapter_version"), int32s("schema_version"),
		field("validation", validationOf()), double("train_fraction"), text("split_group"),
	}, nil)
}

// ScreeningSchema is the screening table.
func ScreeningSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		text("task_id"), text("source"), text("split"), text("access_tier"), text("duplicate_of"), text("cluster_id"),
		int32s("question_words"), int32s("overlap_10gram"), int32s("overlap_10gram_sources"), int32s("overlap_13gram"), int32s("overlap_13gram_sources"),
		truth("overlaps_own_source"), truth("overlaps_another_source"),
		truth("group_in_both_splits"), text("drop_reason"), int32s("schema_version"),
	}, nil)
}

// ValidationSchema is the validation table.
func ValidationSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		text("task_id"), text("source"), text("split"), text("access_tier"), text("state"), field("validation", validationOf()),
		list("checks", arrow.StructOf(text("kind"), text("name"), int32s("repeat"), text("status"), text("error_type"),
			double("reward"), double("reward_upstream"), text("reason"))),
		text("raw_file"), int64s("raw_line"), text("adapter_version"), text("grader_version"), field("sandbox", sandboxRef()), int32s("schema_version"),
	}, nil)
}

func validationOf() arrow.DataType {
	return arrow.StructOf(double("gold_reward"), double("noop_reward"), double("cheat_reward"), truth("flaky"), text("reason"))
}

func sandboxRef() arrow.DataType {
	return arrow.StructOf(text("backend"), text("environment_digest"), list("controls", arrow.BinaryTypes.String))
}

// TrajectorySchema is the trajectories table.
func TrajectorySchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		text("trajectory_id"), text("task_id"), text("source"), text("split"), text("category"), text("access_tier"),
		text("run_id"), int32s("attempt"),
		field("policy", arrow.StructOf(text("kind"), text("model"), text("endpoint_class"), double("temperature"),
			double("top_p"), int64s("seed"), int32s("max_tokens"), text("protocol"))),
		list("messages", arrow.StructOf(text("role"), text("content"), text("name"), text("tool_call_id"), text("tool_calls_json"), text("reasoning"))),
		list("steps", arrow.StructOf(int32s("turn"), text("action"), text("params_json"), text("observation"), text("status"),
			text("error_type"), int32s("exit_code"), int64s("wall_ms"), truth("output_truncated"), truth("grader_feedback_shown"),
			text("submission"), double("reward"), double("reward_upstream"), text("grade_reason"),
			list("repairs", arrow.BinaryTypes.String), text("debugged_by"), int32s("cut_messages"), int64s("cut_tokens"),
			int64s("prompt_tokens"), int64s("completion_tokens"), text("finish_reason"),
			numbers("token_ids", arrow.PrimitiveTypes.Int32), numbers("logprobs", arrow.PrimitiveTypes.Float64))),
		text("outcome"), text("outcome_reason"), double("reward"), double("reward_upstream"), double("score"),
		text("answer_seen"), text("feedback"),
		double("verifier_score"), text("verifier"),
		int64s("prompt_tokens"), int64s("completion_tokens"), double("cost_usd"), double("wall_s"),
		field("created_at", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}),
		field("sandbox", sandboxRef()), text("grader_version"), int32s("schema_version"),
	}, nil)
}

// SFTSchema is the sft set.
func SFTSchema() *arrow.Schema { return training(chat("messages")) }

// DPOSchema is the dpo set.
func DPOSchema() *arrow.Schema {
	return training(chat("prompt"), chat("chosen"), chat("rejected"),
		double("mg_chosen_reward"), double("mg_rejected_reward"), text("mg_strategy"))
}

// VerifierSchema is the verifier set.
func VerifierSchema() *arrow.Schema {
	return training(chat("prompt"), chat("completion"), truth("label"), double("mg_reward"), text("mg_policy_mix"))
}

// training puts the columns of Prefix first.
func training(columns ...arrow.Field) *arrow.Schema {
	return arrow.NewSchema(append([]arrow.Field{
		text("mg_id"), text("mg_task_id"), text("mg_source"), text("mg_access_tier"), text("mg_build"),
		list("mg_traj_ids", arrow.BinaryTypes.String), int32s("mg_n_turns"), int32s("mg_n_tokens"),
	}, columns...), nil)
}

// chat is a column of type MSG.
func chat(name string) arrow.Field {
	return list(name, arrow.StructOf(text("role"), text("content")))
}

func field(name string, typ arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: typ, Nullable: true}
}

// list names its element as the 3-level form of Parquet does.
func list(name string, element arrow.DataType) arrow.Field {
	return field(name, arrow.ListOfField(field("element", element)))
}

// numbers is a list whose elements are never null: a writer takes a zero for one.
func numbers(name string, element arrow.DataType) arrow.Field {
	return field(name, arrow.ListOfField(arrow.Field{Name: "element", Type: element}))
}

func text(name string) arrow.Field   { return field(name, arrow.BinaryTypes.String) }
func double(name string) arrow.Field { return field(name, arrow.PrimitiveTypes.Float64) }
func int32s(name string) arrow.Field { return field(name, arrow.PrimitiveTypes.Int32) }
func int64s(name string) arrow.Field { return field(name, arrow.PrimitiveTypes.Int64) }
func truth(name string) arrow.Field  { return field(name, arrow.FixedWidthTypes.Boolean) }
