package wire

import (
	"reflect"

	"bootpath/sim/compare"
	"bootpath/sim/exercise"
	"bootpath/sim/identify"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
)

// Compare starts both images and puts them beside each other; other may be s itself, under other settings.
func (s *Session) Compare(settings scenario.RunSettings, other *Session, otherSettings scenario.RunSettings) (*Comparison, error) {
	left, l, err := s.side(settings)
	if err != nil {
		return nil, err
	}
	right, r, err := other.side(otherSettings)
	if err != nil {
		return nil, err
	}
	c := &Comparison{Left: left, Right: right, Rows: compare.Table(l, r), Execve: compare.Meet(l, r)}
	if compare.OneKind(l, r) {
		d := compare.Diff(l, r)
		c.Difference = &d
	}
	return c, nil
}

// side starts the image and describes it.
func (s *Session) side(settings scenario.RunSettings) (ComparedSide, compare.Side, error) {
	out := ComparedSide{Name: s.image.Input.Name(), Kind: string(s.image.Kind), Formats: s.image.Formats, KernelFrom: s.image.KernelFrom(), Settings: settings}
	in, run, err := s.start(settings)
	switch {
	case err == nil:
		out.Run, out.Outcome, out.Facts, out.Steps = run, &run.Outcome, run.Facts, len(run.Steps)
		out.Time = run.Steps[len(run.Steps)-1].At
	case s.image.Kind != identify.Other: // nothing starts a kernel or an initramfs by itself: that is no mistake
		return out, in, err
	}
	if ks := in.Image.Kernels(); out.KernelFrom == identify.KernelInside && len(ks) > 0 {
		out.KernelCites = ks[0].Cites
	}
	return out, in, nil
}

// start runs the image for a comparison.
func (s *Session) start(settings scenario.RunSettings) (compare.Side, *RunResult, error) {
	in := compare.Side{Image: s.image, Settings: settings}
	run, err := s.Run(settings)
	if err == nil {
		in.Image, in.Run, in.Facts = s.ran, run.Trace(), run.Facts
	}
	return in, run, err
}

// Exercise makes the exercise of a seed from the opened image, broken in one place; usual is how it starts well.
// Runs are remembered from one exercise to the next.
func (s *Session) Exercise(usual scenario.RunSettings, seed int64) (*exercise.Exercise, error) {
	if s.maker == nil || !reflect.DeepEqual(s.makerUsual, usual) {
		run := func(set scenario.RunSettings) (compare.Side, error) {
			side, _, err := s.start(set)
			if err != nil && s.image.Kind == identify.Other {
				err = nil // nothing starts it
			}
			return side, err
		}
		maker, err := exercise.NewMaker(run, usual)
		if err != nil {
			return nil, err
		}
		s.maker, s.makerUsual = maker, usual
	}
	return s.maker.Make(seed)
}

// Predict gives kinds that might come at step n of the latest run instead of the true one; none without a run.
func (s *Session) Predict(follows []exercise.Follow, n int) []trace.Kind {
	return exercise.Predict(follows, s.steps, n)
}
