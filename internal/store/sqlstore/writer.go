package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// groupLimit is how many jobs are committed together at most.
const groupLimit = 64

var errClosed = errors.New("the database is closed")

// writer is the one goroutine that writes to a SQLite database. It runs the
// jobs that are waiting in one transaction, each in a savepoint, so that a job
// that fails takes nobody with it, and answers all of them once the
// transaction is on disk.
type writer struct {
	db     *sql.DB // of one connection
	logger *slog.Logger
	// jobs is not buffered: a job is handed over when it is about to run, and
	// until then its sender can withdraw.
	jobs    chan *job
	closing chan struct{}
	once    sync.Once
	stopped chan struct{}

	conn       *sql.Conn // nil after a transaction that ended in doubt
	statements *prepared // of conn
}

type job struct {
	ctx  context.Context // never cancelled: an interrupted statement would undo the whole group
	work func(context.Context, executor) error
	// claimed is set by the writer when it runs the job, or by the sender when
	// it gives up before.
	claimed atomic.Bool
	// result is that of work, valid once the group is committed.
	result   error
	answered chan error
}

// panicked carries a panic of a job to the goroutine that asked for it.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

func startWriter(db *sql.DB, logger *slog.Logger) *writer {
	w := &writer{
		db: db, logger: logger,
		jobs: make(chan *job), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.run()
	return w
}

// do runs work as [database].transact describes.
func (w *writer) do(ctx context.Context, work func(context.Context, executor) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: context.WithoutCancel(ctx), work: work, answered: make(chan error, 1)}
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
	select {
	case err := <-j.answered:
		if p, ok := errors.AsType[*panicked](err); ok {
			panic(p)
		}
		return err
	case <-ctx.Done():
		if j.claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return fmt.Errorf("the outcome is unknown: %w", ctx.Err())
	}
}

// close finishes the group that is being written; jobs that were not handed
// over fail.
func (w *writer) close() error {
	w.once.Do(func() { close(w.closing) })
	<-w.stopped
	return w.db.Close()
}

func (w *writer) run() {
	defer close(w.stopped)
	defer w.disconnect()
	for {
		select {
		case <-w.closing:
			return
		case j := <-w.jobs:
			w.group(j)
		}
	}
}

// group commits a job and those that arrive meanwhile, and answers them.
func (w *writer) group(first *job) {
	jobs, err := w.commit(first)
	if err != nil {
		w.disconnect() // closing the connection undoes what is left of the transaction
		w.logger.Warn("a transaction has failed", "jobs", len(jobs), "error", err)
	}
	for _, j := range jobs {
		if err != nil {
			// Not its own result: that may rest on what others have lost.
			j.answered <- err
			continue
		}
		j.answered <- j.result
	}
}

func (w *writer) commit(first *job) (jobs []*job, err error) {
	jobs = []*job{first}
	ctx := context.Background()
	if err := w.connect(ctx); err != nil {
		return jobs, err
	}
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return jobs, err
	}
	for j := first; j != nil; {
		if err := w.runInSavepoint(j); err != nil {
			return jobs, err
		}
		if j = w.next(len(jobs)); j != nil {
			jobs = append(jobs, j)
		}
	}
	return jobs, w.exec(ctx, "COMMIT")
}

// next returns a job that is waiting, nil if there is none or the group is full.
func (w *writer) next(size int) *job {
	if size >= groupLimit {
		return nil
	}
	select {
	case j := <-w.jobs:
		return j
	default:
		return nil
	}
}

// runInSavepoint keeps the job's own error as its result; what it returns is
// the end of the whole transaction.
func (w *writer) runInSavepoint(j *job) error {
	if !j.claimed.CompareAndSwap(false, true) {
		return nil
	}
	if err := w.exec(j.ctx, "SAVEPOINT job"); err != nil {
		return err
	}
	j.result = w.runJob(j)
	if j.result != nil {
		if err := w.exec(j.ctx, "ROLLBACK TO job"); err != nil {
			return fmt.Errorf("%w, after %w", err, j.result)
		}
	}
	return w.exec(j.ctx, "RELEASE job")
}

func (w *writer) runJob(j *job) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicked{value: value, stack: debug.Stack()}
		}
	}()
	return j.work(j.ctx, w.statements)
}

func (w *writer) exec(ctx context.Context, statement string) error {
	_, err := w.statements.ExecContext(ctx, statement)
	return err
}

func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.statements = conn, &prepared{source: conn}
	return nil
}

// disconnect closes the connection for good instead of returning it to the
// pool. Its statements go first: while one is left, SQLite keeps a closed
// connection alive, and with it the lock of an open transaction.
func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	if err := w.statements.close(); err != nil {
		w.logger.Warn("a statement did not close", "error", err)
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // says only what it was told
	w.conn, w.statements = nil, nil
}
