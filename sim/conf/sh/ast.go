// Package sh parses shell scripts: the language of POSIX.1-2017, Shell & Utilities, chapter 2, as dash and
// BusyBox ash read it. The /init of most initramfs images is such a script, so what it will do can be read.
//
// It does not run anything. Left out: aliases, job control, and what only bash or zsh understands (arrays,
// [[ ]], process substitution); these give a [*decode.Error], never a wrong tree.
package sh

// Pos is a range of the script, in bytes.
type Pos struct{ Off, End int }

// Script is a parsed file.
type Script struct {
	Body []Stmt
}

// Stmt is one command line of a list: an and-or list that runs in turn or in the background.
type Stmt struct {
	Pos
	Node       Node
	Background bool // ended with &
}

// Node is a command: *Simple, *Pipe, *AndOr, *If, *Loop, *For, *Case, *Group, *Func.
type Node interface{ node() }

// Simple is a simple command (2.9.1): assignments, words, redirections.
type Simple struct {
	Pos
	Assigns []Assign
	Words   []Word
	Redirs  []*Redir
}

// Assign is NAME=VALUE before a command.
type Assign struct {
	Name  string
	Value Word
}

// Pipe is a pipeline of two commands or more, or a negated one (2.9.2).
type Pipe struct {
	Negated bool
	Cmds    []Node
}

// AndOr is left && right or left || right (2.9.3).
type AndOr struct {
	And         bool
	Left, Right Node
}

// If is if … then … elif … else … fi; an elif is an If in Else.
type If struct {
	Cond, Then, Else []Stmt
	Redirs           []*Redir
}

// Loop is while or until.
type Loop struct {
	Until      bool
	Cond, Body []Stmt
	Redirs     []*Redir
}

// For is for NAME in WORDS; without in it walks the positional parameters.
type For struct {
	Name   string
	In     bool
	Words  []Word
	Body   []Stmt
	Redirs []*Redir
}

// Case is case WORD in … esac.
type Case struct {
	Word   Word
	Items  []CaseItem
	Redirs []*Redir
}

// CaseItem is one branch.
type CaseItem struct {
	Patterns []Word
	Body     []Stmt
}

// Group is { …; } or, in a subshell, ( … ).
type Group struct {
	Subshell bool
	Body     []Stmt
	Redirs   []*Redir
}

// Func is NAME() command.
type Func struct {
	Pos
	Name string
	Body Node
}

func (*Simple) node() {}
func (*Pipe) node()   {}
func (*AndOr) node()  {}
func (*If) node()     {}
func (*Loop) node()   {}
func (*For) node()    {}
func (*Case) node()   {}
func (*Group) node()  {}
func (*Func) node()   {}

// Redir is a redirection (2.7).
type Redir struct {
	FD     int    // -1: the operator's default
	Op     string // < > >> <> >| <& >& <<
	Target Word   // a here-document's content for <<
}

// Word is what expands to zero or more fields.
type Word []Part

// Part is a piece of a word: Lit, *Param, *CmdSub, *Arith.
type Part interface{ part() }

// Lit is text; quoted text is not split and its characters match only themselves.
type Lit struct {
	Text   string
	Quoted bool
}

// Param is a parameter expansion (2.6.2).
type Param struct {
	Name   string // a variable, or one of 0-9… @ * # ? - $ !
	Length bool   // ${#name}
	Op     string // "" or one of :- - := = :? ? :+ + % %% # ##; of ash and bash : / //
	Arg    Word
	Quoted bool
}

// CmdSub is $(…) or `…`.
type CmdSub struct {
	Body   []Stmt
	Quoted bool
}

// Arith is $((…)), unparsed: its text is expanded first.
type Arith struct {
	Expr   Word
	Quoted bool
}

func (Lit) part()     {}
func (*Param) part()  {}
func (*CmdSub) part() {}
func (*Arith) part()  {}

// Literal returns the text of a word without expansions.
func (w Word) Literal() (string, bool) {
	s := ""
	for _, p := range w {
		l, ok := p.(Lit)
		if !ok {
			return "", false
		}
		s += l.Text
	}
	return s, true
}

// Walk calls fn for every simple command below the statements, function bodies included.
func Walk(body []Stmt, fn func(*Simple)) {
	for _, st := range body {
		walk(st.Node, fn)
	}
}

func walk(n Node, fn func(*Simple)) {
	switch n := n.(type) {
	case *Simple:
		fn(n)
	case *Pipe:
		for _, c := range n.Cmds {
			walk(c, fn)
		}
	case *AndOr:
		walk(n.Left, fn)
		walk(n.Right, fn)
	case *If:
		Walk(n.Cond, fn)
		Walk(n.Then, fn)
		Walk(n.Else, fn)
	case *Loop:
		Walk(n.Cond, fn)
		Walk(n.Body, fn)
	case *For:
		Walk(n.Body, fn)
	case *Case:
		for _, it := range n.Items {
			Walk(it.Body, fn)
		}
	case *Group:
		Walk(n.Body, fn)
	case *Func:
		walk(n.Body, fn)
	}
}
