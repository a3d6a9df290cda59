// Package grub reads GRUB's scripts (grub.cfg and the configuration inside a core image) into a tree
// whose every node knows its bytes. It follows GRUB's own lexer and grammar (grub-core/script/yylex.l
// and parser.y of GRUB 2.06), which resemble a shell's but lack pipes, redirection, && and ||.
package grub

// Span is a range of bytes of the script.
type Span struct{ Off, Len int }

// End is the offset behind the span.
func (s Span) End() int { return s.Off + s.Len }

// PartKind says how a part of a word is expanded.
type PartKind uint8

// Kinds of parts.
const (
	Text      PartKind = iota // unquoted text
	Quoted                    // text in quotes of either kind, or after a backslash
	Var                       // $name: its value is split at white space
	QuotedVar                 // "$name": its value stays one piece
)

// Part is a piece of a word: text, or the name of a variable.
type Part struct {
	Kind PartKind
	Text string
	Span
}

// Word is one argument: its parts side by side, or a block.
type Word struct {
	Parts []Part
	Block *Block
	Span
}

// Literal returns the word's text and whether it is free of variables and blocks.
func (w Word) Literal() (string, bool) {
	s := ""
	for _, p := range w.Parts {
		if p.Kind == Var || p.Kind == QuotedVar {
			return "", false
		}
		s += p.Text
	}
	return s, w.Block == nil
}

// Block is "{ … }" behind a command: the body of a menu entry.
type Block struct {
	Body []Node
	Span
}

// Node is a statement: *Command, *If, *While, *For or *Function.
type Node interface{ Where() Span }

// Command is a command line.
type Command struct {
	Words []Word
	Span
}

// If is "if …; then …; else …; fi"; an elif is an If that is alone in Else.
type If struct {
	Cond, Then, Else []Node
	Head             Span // from "if" to before "then"
	Span
}

// While is "while" or "until".
type While struct {
	Until      bool
	Cond, Body []Node
	Span
}

// For is "for name in words; do …; done".
type For struct {
	Name  string
	Words []Word
	Body  []Node
	Span
}

// Function is a definition.
type Function struct {
	Name string
	Body []Node
	Span
}

// Where implements [Node].
func (n *Command) Where() Span { return n.Span }

// Where implements [Node].
func (n *If) Where() Span { return n.Span }

// Where implements [Node].
func (n *While) Where() Span { return n.Span }

// Where implements [Node].
func (n *For) Where() Span { return n.Span }

// Where implements [Node].
func (n *Function) Where() Span { return n.Span }

// SyntaxError is a place where GRUB gives up a statement: it says so and goes on at the next line.
type SyntaxError struct {
	Want string
	Span
}

// Error implements error.
func (e *SyntaxError) Error() string { return "syntax error: want " + e.Want }

// Where implements [Node]: in a tree, an error stands where its statement would.
func (e *SyntaxError) Where() Span { return e.Span }
