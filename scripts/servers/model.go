package main

import (
	"bufio"
	_ "embed"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
)

// template is the chat template of the model, in Jinja: tools are shown and called
// as Hermes and Qwen do.
//
//go:embed template.jinja
var template string

// words are in the vocabulary whole, so that prompts are not one token a byte. What
// comes before a word in a text is a part of its token, as in every such vocabulary.
const words = ` the of and to in is a that for with be as on by it are this you code answer python import print file files task
 value values data return result name if not or from at number list patient table columns action actions json execution set
 variable using use will can should your must solution given program programs replies reply problem run runs one what
 error terminal command column request info params text lines object function description parameters type string properties required
 debugging submission shows whether correct words keyterm path`

// Sizes of the model: small enough that a prompt of a few thousand tokens takes a
// fraction of a second on one core.
const (
	layers    = 2
	heads     = 2
	embedding = 64
	feed      = 128
)

// The tokens of the chat template, in the order of their ids: those that text cannot
// hold, and those that it can.
var (
	controls = []string{"<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"}
	marks    = []string{"<tool_call>", "</tool_call>"}
)

// ending is the id of the token that ends a reply.
const ending = 1

// tiny is a model of the llama family whose weights are drawn by a seed: it says
// noise. context is how long it claims texts may be.
func tiny(seed uint64, context int) gguf {
	tokens, merges := vocabulary()
	kinds := make([]int32, len(tokens))
	for i := range kinds {
		switch {
		case i < len(controls):
			kinds[i] = 3 // control
		case i < len(controls)+len(marks):
			kinds[i] = 4 // defined by the user
		default:
			kinds[i] = 1 // normal
		}
	}
	g := gguf{about: []entry{
		{"general.architecture", "llama"},
		{"general.name", "noise"},
		{"general.file_type", uint32(0)},
		{"llama.context_length", uint32(context)},
		{"llama.embedding_length", uint32(embedding)},
		{"llama.block_count", uint32(layers)},
		{"llama.feed_forward_length", uint32(feed)},
		{"llama.rope.dimension_count", uint32(embedding / heads)},
		{"llama.rope.freq_base", float32(10_000)},
		{"llama.attention.head_count", uint32(heads)},
		{"llama.attention.head_count_kv", uint32(heads)},
		{"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
		{"llama.vocab_size", uint32(len(tokens))},
		{"tokenizer.ggml.model", "gpt2"},
		{"tokenizer.ggml.pre", "gpt-2"},
		{"tokenizer.ggml.tokens", tokens},
		{"tokenizer.ggml.token_type", kinds},
		{"tokenizer.ggml.merges", merges},
		{"tokenizer.ggml.bos_token_id", uint32(0)},
		{"tokenizer.ggml.eos_token_id", uint32(ending)},
		{"tokenizer.ggml.add_bos_token", false},
		{"tokenizer.ggml.add_eos_token", false},
		{"tokenizer.chat_template", template},
	}}
	rng := rand.New(rand.NewPCG(seed, 0))
	// A row of length in, drawn so that what it makes of such a vector is about one.
	matrix := func(name string, in, out int) {
		values := make([]float32, in*out)
		for i := range values {
			values[i] = float32(rng.NormFloat64() / math.Sqrt(float64(in)))
		}
		g.tensors = append(g.tensors, tensor{name + ".weight", []int{in, out}, values})
	}
	norm := func(name string) {
		g.tensors = append(g.tensors, tensor{name + ".weight", []int{embedding}, slices.Repeat([]float32{1}, embedding)})
	}
	matrix("token_embd", embedding, len(tokens))
	for i := range layers {
		block := "blk." + string(rune('0'+i)) + "."
		norm(block + "attn_norm")
		matrix(block+"attn_q", embedding, embedding)
		matrix(block+"attn_k", embedding, embedding)
		matrix(block+"attn_v", embedding, embedding)
		matrix(block+"attn_output", embedding, embedding)
		norm(block + "ffn_norm")
		matrix(block+"ffn_gate", embedding, feed)
		matrix(block+"ffn_up", embedding, feed)
		matrix(block+"ffn_down", feed, embedding)
	}
	norm("output_norm")
	matrix("output", embedding, len(tokens))
	// The end of a reply is drawn from a wider range than other tokens, or it would
	// hardly come up.
	output := g.tensors[len(g.tensors)-1].values
	for i := range embedding {
		output[ending*embedding+i] *= 1.6
	}
	return g
}

// vocabulary is a byte-level one: the template's tokens, every byte, and the words with
// all that they are merged from, pair by pair from the left.
func vocabulary() (tokens, merges []string) {
	tokens = slices.Concat(controls, marks)
	letters := byteLetters()
	known := map[string]bool{}
	for _, l := range letters {
		tokens, known[string(l)] = append(tokens, string(l)), true
	}
	for _, word := range strings.Fields(words) {
		left := ""
		for _, b := range []byte(" " + word) {
			right := string(letters[b])
			if whole := left + right; left != "" && !known[whole] {
				tokens, merges, known[whole] = append(tokens, whole), append(merges, left+" "+right), true
			}
			left += right
		}
	}
	return tokens, merges
}

// byteLetters are the letters that stand for bytes in such vocabularies: themselves
// where they can be seen, and from U+0100 on where not.
func byteLetters() (letters [256]rune) {
	next := rune(256)
	for b := range letters {
		if r := rune(b); r >= '!' && r <= '~' || r >= 0xa1 && r <= 0xac || r >= 0xae {
			letters[b] = r
			continue
		}
		letters[b], next = next, next+1
	}
	return letters
}

// save writes a model file.
func (g gguf) save(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	if err := g.write(w); err != nil {
		return err
	}
	return w.Flush()
}
