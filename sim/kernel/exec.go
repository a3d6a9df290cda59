package kernel

// image is what execve loaded.
type image struct {
	at loc
}

// Execve replaces t's program. execve(2). On success the step cites the bytes that decided it and t's
// Comm, Exe, Argv, Env and credentials are those of the new program.
func (t *Task) Execve(path string, argv, env []string) error { return ENOSYS }

// Load tells what happens before the program's own code runs: for a dynamic ELF the loader's search for
// the libraries it names. It is called after a successful Execve. exit is the code when the loader gives
// up with message on standard error, else -1.
func (t *Task) Load() (message string, exit int) { return "", -1 }
