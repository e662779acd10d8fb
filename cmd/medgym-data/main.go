// Command medgym-data turns the raw downloads of MedAgentGym's twelve sources
// into training sets for language-model agents.
package main

func main() {}
