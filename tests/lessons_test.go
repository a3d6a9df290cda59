package tests

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lesson is what the two languages of a lesson must have in common.
type lesson struct {
	Track, Weight, Minutes string
	Misconceptions         []int
	Headings               []string   // levels, in order
	Elements               []string   // live starts and questions with their attributes, in order
	Answers                [][]string // per question the boxes of its answers: " " or "x"
	Tables                 int
	Code                   int // blocks of code and of console text
	Terms                  []string
	Proofs                 [][]string // per part of the text what its marks lead to
}

var (
	heading     = regexp.MustCompile(`(?m)^(#+) `)
	element     = regexp.MustCompile(`\{\{< (start|ask)( [^>]*)>\}\}`)
	answer      = regexp.MustCompile(`(?m)^\s*- \[([ x])\] `)
	question    = regexp.MustCompile(`(?s)\{\{< ask .*?>\}\}(.*?)\{\{< /ask >\}\}`)
	fence       = regexp.MustCompile("(?sm)^```(.*?)^```")
	tableRule   = regexp.MustCompile(`(?m)^\|[-|: ]+\|$`)
	linkTarget  = regexp.MustCompile(`\]\((term|lesson|lab):([^)]+)\)`)
	frontMatter = regexp.MustCompile(`(?s)^---\n(.*?)\n---\n(.*)$`)
)

func field(head, name string) string {
	m := regexp.MustCompile(`(?m)^` + name + `: (.*)$`).FindStringSubmatch(head)
	if m == nil {
		return ""
	}
	return m[1]
}

func readLesson(t *testing.T, path string) (lesson, string) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	parts := frontMatter.FindStringSubmatch(string(data))
	require.NotNil(t, parts, "%s: front matter", path)
	head, body := parts[1], parts[2]
	l := lesson{Track: field(head, "track"), Weight: field(head, "weight"), Minutes: field(head, "minutes")}
	for _, name := range []string{"title", "linkTitle", "description", "track", "weight", "minutes"} {
		require.NotEmpty(t, field(head, name), "%s: %s", path, name)
	}
	for _, n := range strings.Split(strings.Trim(field(head, "misconceptions"), "[]"), ",") {
		if n = strings.TrimSpace(n); n != "" {
			i, err := strconv.Atoi(n)
			require.NoError(t, err, path)
			l.Misconceptions = append(l.Misconceptions, i)
		}
	}
	l.Code = len(fence.FindAllString(body, -1))
	text := fence.ReplaceAllString(body, "")
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		l.Headings = append(l.Headings, m[1])
	}
	for _, m := range element.FindAllStringSubmatch(text, -1) {
		l.Elements = append(l.Elements, m[1]+m[2])
	}
	for _, q := range question.FindAllStringSubmatch(text, -1) {
		var boxes []string
		for _, m := range answer.FindAllStringSubmatch(q[1], -1) {
			boxes = append(boxes, m[1])
		}
		l.Answers = append(l.Answers, boxes)
	}
	l.Tables = len(tableRule.FindAllString(text, -1))
	for _, m := range linkTarget.FindAllStringSubmatch(text, -1) {
		if m[1] == "term" {
			l.Terms = append(l.Terms, m[2])
		}
	}
	slices.Sort(l.Terms)
	l.Terms = slices.Compact(l.Terms)
	for _, part := range strings.Split(text, "\n\n") {
		if proofs := proofsIn(part); len(proofs) > 0 {
			l.Proofs = append(l.Proofs, proofs)
		}
	}
	return l, text
}

func lessonNames(t *testing.T) []string {
	files, err := filepath.Glob(filepath.Join(root, "content/en/lessons/*.md"))
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".md"); name != "_index" {
			names = append(names, name)
		}
	}
	require.NotEmpty(t, names)
	return names
}

// A lesson has the same structure in both languages: headings, live starts, questions with the same right
// answers, tables, code, linked terms.
func TestLessonsComeInPairs(t *testing.T) {
	names := lessonNames(t)
	chinese, err := filepath.Glob(filepath.Join(root, "content/zh/lessons/*.md"))
	require.NoError(t, err)
	require.Len(t, chinese, len(names)+1, "lessons and their overview")
	weights := map[string]string{}
	for _, name := range names {
		en, _ := readLesson(t, filepath.Join(root, "content/en/lessons", name+".md"))
		zh, text := readLesson(t, filepath.Join(root, "content/zh/lessons", name+".md"))
		require.Equal(t, en, zh, name)
		require.Empty(t, weights[en.Weight], "%s: the weight is taken", name)
		weights[en.Weight] = name
		require.NotRegexp(t, `\p{Han}[,;:?!]|\p{Han}\.(\s|$)`, text, "%s: Chinese punctuation is full-width", name)
	}
}

// A lesson runs real images, asks before it tells, and checks at its end.
func TestLessonsRunSomethingAndAsk(t *testing.T) {
	for _, name := range lessonNames(t) {
		l, _ := readLesson(t, filepath.Join(root, "content/en/lessons", name+".md"))
		all := strings.Join(l.Elements, "\n")
		require.Contains(t, all, "start ", "%s: nothing runs in it", name)
		require.Contains(t, all, "ask ", "%s: it asks nothing", name)
		require.Contains(t, all, `kind="check"`, "%s: there is no check at the end", name)
		for i, boxes := range l.Answers {
			require.Equal(t, 1, strings.Count(strings.Join(boxes, ""), "x"), "%s: question %d needs one right answer", name, i+1)
			require.GreaterOrEqual(t, len(boxes), 3, "%s: question %d", name, i+1)
		}
	}
}

// named is an entry of the samples or of the glossary.
type named struct{ ID, Lesson string }

// What a lesson names exists: samples, scenarios, kinds of steps, terms, lessons.
func TestLessonsNameWhatExists(t *testing.T) {
	var samples, glossary []named
	readJSON(t, "content/samples/index.json", &samples)
	readJSON(t, "content/glossary/glossary.json", &glossary)
	kinds := messages(t, "en")
	names := lessonNames(t)
	has := func(list []named, id string) bool {
		return slices.ContainsFunc(list, func(e named) bool { return e.ID == id })
	}
	for _, g := range glossary {
		require.Contains(t, names, g.Lesson, "glossary: %s", g.ID)
	}
	attr := regexp.MustCompile(`(\w+)="([^"]*)"`)
	for _, lang := range []string{"en", "zh"} {
		for _, name := range names {
			l, text := readLesson(t, filepath.Join(root, "content", lang, "lessons", name+".md"))
			for _, e := range l.Elements {
				for _, a := range attr.FindAllStringSubmatch(e, -1) {
					requireExists(t, name, a[1], a[2], kinds, func(id string) bool { return has(samples, id) })
				}
			}
			for _, m := range linkTarget.FindAllStringSubmatch(text, -1) {
				switch m[1] {
				case "term":
					require.True(t, has(glossary, m[2]), "%s: term %s", name, m[2])
				case "lesson":
					require.Contains(t, names, m[2], name)
				case "lab":
					for _, part := range strings.Split(m[2], "&") {
						key, value, _ := strings.Cut(part, "=")
						requireExists(t, name, key, value, kinds, func(id string) bool { return has(samples, id) })
					}
				}
			}
		}
	}
}

func requireExists(t *testing.T, lesson, key, value string, kinds map[string]message, sample func(string) bool) {
	switch key {
	case "src":
		require.True(t, sample(value), "%s: sample %s", lesson, value)
	case "scenario":
		require.FileExists(t, filepath.Join(root, "content/scenarios", value+".json"), lesson)
	case "step", "end":
		if value == "0" || value == "end" {
			return
		}
		kind, _, _ := strings.Cut(value, "[") // which of its kind it is, tests/e2e/selectors.test.mjs looks up
		require.Contains(t, kinds, kind, lesson)
	}
}

// proofsIn lists what the marks of a text lead to: links without text, to a step, its bytes or a source.
func proofsIn(text string) []string {
	var to []string
	for _, m := range regexp.MustCompile(`\[\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		to = append(to, m[1])
	}
	slices.Sort(to)
	return to
}

var (
	liveStart = regexp.MustCompile(`(?s)\{\{< start .*?\{\{< /start >\}\}`)
	listItem  = regexp.MustCompile(`(?m)^\s*(?:-|\d+\.) `)
	proof     = regexp.MustCompile(`\]\((?:lab:|source:|page:|https://)`)
	source    = regexp.MustCompile(`(?m)^- ([a-z0-9-]+): (.+?)[:：] ?\[.+\]\((https://\S+)\)$`)
)

// unproved lists the claims of a lesson that nothing proves. What a lesson claims stands between its first heading and
// its sources: paragraphs, each item of a list, and tables as wholes. Each holds at least one reference that can be
// opened: a step, bytes, a source, another page. Left out are the opening, which tells what is going to be asked,
// questions with their answers, the line under a live start, which is its own proof, code, and a line that only
// introduces what follows it, which ends with a colon.
func unproved(text string) []string {
	for _, r := range []*regexp.Regexp{question, liveStart, fence} {
		text = r.ReplaceAllString(text, "")
	}
	_, text, _ = strings.Cut("\n"+text, "\n## ")
	var found []string
	for _, part := range strings.Split("## "+text, "\n\n") {
		if part = strings.TrimSpace(part); strings.HasPrefix(part, "{{< sources >}}") {
			break
		}
		claims := []string{part}
		if listItem.MatchString(part) && !strings.HasPrefix(part, "|") {
			claims = listItem.Split(part, -1)[1:]
		}
		for _, c := range claims {
			c = strings.TrimSpace(c)
			leads := strings.HasSuffix(c, ":") || strings.HasSuffix(c, "：")
			if c != "" && !strings.HasPrefix(c, "#") && !leads && !proof.MatchString(c) {
				found = append(found, c)
			}
		}
	}
	return found
}

// A claim is a step, bytes or a source that can be opened.
func TestEveryClaimOfALessonCanBeOpened(t *testing.T) {
	for _, name := range lessonNames(t) {
		for _, lang := range []string{"en", "zh"} {
			_, text := readLesson(t, filepath.Join(root, "content", lang, "lessons", name+".md"))
			require.Empty(t, unproved(text), "%s %s", lang, name)
		}
	}
}

func TestAClaimWithoutAProofIsFound(t *testing.T) {
	_, text := readLesson(t, filepath.Join(root, "content/en/lessons/bios.md"))
	require.Empty(t, unproved(text))
	bare := regexp.MustCompile(`\[\]\([^)]+\)`).ReplaceAllString(text, "")
	require.Len(t, unproved(bare), 5, "the paragraphs of this lesson")
	doctored := strings.Replace(text, "\n## Sources\n", "\nThe BIOS repairs disks.\n\n- It reads GPT.\n- It knows [files](term:firmware).\n\n| a |\n|---|\n| b |\n\nAnd:\n\n## Sources\n", 1)
	require.Equal(t, []string{"The BIOS repairs disks.", "It reads GPT.", "It knows [files](term:firmware).", "| a |\n|---|\n| b |"}, unproved(doctored))
}

// wrongSources tells what is wrong with a lesson's sources: each stands there once, in the order in which the text
// names them, and none is unknown, unused or there under two keys.
func wrongSources(text string) []string {
	body, list, _ := strings.Cut(text, "{{< sources >}}")
	var wrong, keys, named, targets []string
	for _, m := range source.FindAllStringSubmatch(list, -1) {
		if slices.Contains(keys, m[1]) || slices.Contains(targets, m[3]) {
			wrong = append(wrong, "twice: "+m[1])
		}
		keys, targets = append(keys, m[1]), append(targets, m[3])
	}
	for _, m := range regexp.MustCompile(`\]\(source:([^)]+)\)`).FindAllStringSubmatch(body, -1) {
		if !slices.Contains(named, m[1]) {
			named = append(named, m[1])
		}
		if !slices.Contains(keys, m[1]) {
			wrong = append(wrong, "unknown: "+m[1])
		}
	}
	for _, k := range keys {
		if !slices.Contains(named, k) {
			wrong = append(wrong, "unused: "+k)
		}
	}
	if len(wrong) == 0 && !slices.Equal(keys, named) {
		wrong = append(wrong, "the text names them in this order: "+strings.Join(named, " "))
	}
	return wrong
}

// A lesson ends with its sources, pages of manuals, specifications and programs. Both languages name the same.
func TestLessonsNameTheirSources(t *testing.T) {
	for _, name := range lessonNames(t) {
		targets := map[string][]string{}
		for lang, title := range map[string]string{"en": "Sources", "zh": "资料来源"} {
			_, text := readLesson(t, filepath.Join(root, "content", lang, "lessons", name+".md"))
			require.NotContains(t, text, "](http:", "%s %s", lang, name)
			_, sources, found := strings.Cut(text, "\n## "+title+"\n\n{{< sources >}}\n")
			require.True(t, found, "%s %s: no section %q", lang, name, title)
			sources, rest, _ := strings.Cut(sources, "{{< /sources >}}\n")
			require.Empty(t, rest, "%s %s: the sources come last", lang, name)
			for _, line := range strings.Split(strings.TrimSpace(sources), "\n") {
				m := source.FindStringSubmatch(line)
				require.NotNil(t, m, "%s %s: %q needs a key, a statement and one link", lang, name, line)
				targets[lang] = append(targets[lang], m[1]+" "+m[3])
				requireCanBeOpened(t, m[3])
			}
			require.Empty(t, wrongSources(text), "%s %s", lang, name)
		}
		require.Equal(t, targets["en"], targets["zh"], name)
	}
}

func TestWrongSourcesAreFound(t *testing.T) {
	const list = "\n{{< sources >}}\n- a: first: [A](https://a.org/1)\n- b: second: [B](https://b.org/2)\n{{< /sources >}}\n"
	for text, want := range map[string][]string{
		"One.[](source:a) Two.[](source:b)":    nil,
		"One.[](source:a)":                     {"unused: b"},
		"One.[](source:a)[](source:c)":         {"unknown: c", "unused: b"},
		"Two.[](source:b) One.[](source:a)":    {"the text names them in this order: b a"},
		"No source; the step is [](lab:src=x)": {"unused: a", "unused: b"},
	} {
		require.Equal(t, want, wrongSources(text+list), text)
	}
	require.Equal(t, []string{"twice: c"}, wrongSources("[](source:a)[](source:c)\n{{< sources >}}\n- a: first: [A](https://a.org/1)\n- c: again: [A](https://a.org/1)\n{{< /sources >}}\n"))
}

// requireCanBeOpened accepts an absolute address without what a visit leaves behind.
func requireCanBeOpened(t *testing.T, target string) {
	u, err := url.Parse(target)
	require.NoError(t, err)
	require.Equal(t, "https", u.Scheme, target)
	require.Regexp(t, `^[a-z0-9.-]+\.[a-z]{2,}$`, u.Host, target)
	require.Greater(t, len(u.Path), 1, "%s: a page, not a site", target)
	require.NotRegexp(t, `[?&](utm_|ref=|source=)`, target)
}

// Each of the misconceptions that were collected has its place in a lesson.
func TestEveryMisconceptionHasItsLesson(t *testing.T) {
	const collected = 26
	found := map[int]bool{}
	for _, name := range lessonNames(t) {
		l, _ := readLesson(t, filepath.Join(root, "content/en/lessons", name+".md"))
		for _, n := range l.Misconceptions {
			require.LessOrEqual(t, n, collected, name)
			found[n] = true
		}
	}
	for n := 1; n <= collected; n++ {
		require.True(t, found[n], "misconception %d", n)
	}
}

func readJSON(t *testing.T, path string, into any) {
	data, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, into), path)
}
