package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"stepwise/internal/signup"
)

const (
	// subscribeBatch is how many channels one command names at most.
	subscribeBatch = 1000
	// heartbeat is how often the subscribing connection is tried out, and
	// silenceLimit after how long without a sign of life it counts as lost.
	heartbeat    = 5 * time.Second
	silenceLimit = 12 * time.Second
	// backoffs between attempts to connect, before random variation.
	firstBackoff   = 50 * time.Millisecond
	longestBackoff = 2 * time.Second
	// anchor is a channel nobody publishes to. A connection without channels
	// is not a subscriber any more: it would leave and enter that state with
	// every lone watcher.
	anchor = "su1:anchor"
)

// hints implements [signup.Hints]: one connection and two goroutines, one that
// writes and one that reads, whatever the number of watchers.
//
// A watcher is hinted at as soon as its watch is in force, at the beginning and
// after every reconnection, because what happened before went unseen.
type hints struct {
	client             redis.UniversalClient
	logger             *slog.Logger
	heartbeat, silence time.Duration
	// changed holds a token when there is something to subscribe or unsubscribe.
	changed chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex
	topics map[string]*topic
	// stale are the channels whose subscription may not be what topics demand.
	stale map[string]struct{}
}

var _ signup.Hints = (*hints)(nil)

// topic is a channel with at least one watcher.
type topic struct {
	watchers map[chan struct{}]struct{}
	// inForce: Redis has confirmed the subscription on this connection.
	inForce bool
}

// enterIntoForce hints as well, because what happened before went unseen.
func (t *topic) enterIntoForce() {
	t.inForce = true
	t.hint()
}

func (t *topic) hint() {
	for watcher := range t.watchers {
		hint(watcher)
	}
}

// hint never blocks: a watcher that has a hint pending needs no second one.
func hint(watcher chan<- struct{}) {
	select {
	case watcher <- struct{}{}:
	default:
	}
}

func newHints(client redis.UniversalClient, options Options) *hints {
	h := &hints{
		client: client, logger: options.Logger, heartbeat: options.heartbeat, silence: options.silence,
		changed: make(chan struct{}, 1), done: make(chan struct{}),
		topics: make(map[string]*topic), stale: make(map[string]struct{}),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	go h.maintain()
	return h
}

// close ends the connection and both goroutines.
func (h *hints) close() {
	h.cancel()
	<-h.done
}

// WatchAttempt implements [signup.Hints]. The first hint comes as soon as the
// watch is in force.
func (h *hints) WatchAttempt(key signup.AttemptKey) (<-chan struct{}, func()) {
	slot, ok := slotOf(key)
	if !ok || key.ID == "" {
		return make(chan struct{}), func() {} // nothing can happen to it
	}
	return h.watch(slot.channels() + key.ID)
}

// WatchSettings implements [signup.Hints]. The first hint comes as soon as the
// watch is in force.
func (h *hints) WatchSettings(instance string) (<-chan struct{}, func()) {
	return h.watch(settingsChannel(instance))
}

// AnnounceSettings implements [signup.Hints].
func (h *hints) AnnounceSettings(ctx context.Context, instance string) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := h.client.Publish(ctx, settingsChannel(instance), "").Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

func (h *hints) watch(channel string) (<-chan struct{}, func()) {
	watcher := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[channel]
	if t == nil {
		t = &topic{watchers: make(map[chan struct{}]struct{})}
		h.topics[channel] = t
		h.noteChange(channel)
	}
	t.watchers[watcher] = struct{}{}
	if t.inForce {
		hint(watcher)
	}
	return watcher, func() { h.stop(channel, t, watcher) }
}

func (h *hints) stop(channel string, t *topic, watcher chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(t.watchers, watcher)
	if len(t.watchers) == 0 && h.topics[channel] == t {
		delete(h.topics, channel)
		h.noteChange(channel)
	}
}

// noteChange must be called with mu held.
func (h *hints) noteChange(channel string) {
	h.stale[channel] = struct{}{}
	hint(h.changed)
}

// maintain keeps a session going from the first watcher on.
func (h *hints) maintain() {
	defer close(h.done)
	select {
	case <-h.changed:
	case <-h.ctx.Done():
		return
	}
	backoff := firstBackoff
	for {
		worked, err := h.session()
		if h.ctx.Err() != nil {
			return
		}
		if worked {
			backoff = firstBackoff
		}
		h.logger.Warn("lost the connection for hints", "error", err, "retry_in", backoff)
		select {
		case <-time.After(backoff/2 + rand.N(backoff)):
		case <-h.ctx.Done():
			return
		}
		backoff = min(2*backoff, longestBackoff)
	}
}

// session is the life of one connection, from the attempt to establish it.
type session struct {
	*hints
	connection *redis.PubSub
	// answered gets a token whenever awaited has changed, lost the reader's end.
	answered chan struct{}
	lost     chan error
	// awaited is how many answers are due to what was written.
	awaited atomic.Int64
	// subscribed are the channels of this connection; only write uses them.
	subscribed map[string]struct{}
}

// neverDial is the context of everything after the connection is established:
// go-redis would otherwise replace a broken one behind our back.
var neverDial = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// session returns when the connection could not be established or was lost, and
// whether it worked in between.
func (h *hints) session() (worked bool, err error) {
	s := &session{
		hints: h, connection: h.client.Subscribe(h.ctx), // does not connect yet
		answered: make(chan struct{}, 1), lost: make(chan error, 1),
		subscribed: make(map[string]struct{}),
	}
	dialling, cancel := context.WithTimeout(h.ctx, answerLimit)
	defer cancel()
	// Without a channel to go by, a cluster client connects to any node.
	if err := s.connection.Ping(dialling); err != nil {
		_ = s.connection.Close()
		return false, err
	}
	s.awaited.Store(1)
	go func() { s.lost <- s.read(&worked) }()
	h.resubscribe()
	err = s.write()
	_ = s.connection.Close() // ends the reader
	if reason := <-s.lost; err == nil {
		err = reason
	}
	h.suspend()
	return worked, err
}

// write sends what is to be subscribed and unsubscribed, and a heartbeat, until
// the connection fails. It waits for the answers before it writes more: a
// server that is not read from while it is written to may come to a halt.
func (s *session) write() error {
	beat := time.NewTicker(s.heartbeat)
	defer beat.Stop()
	if err := s.subscribe([]string{anchor}); err != nil {
		return err
	}
	for {
		changed := s.changed
		if s.awaited.Load() > 0 {
			changed = nil
		}
		var err error
		select {
		case <-changed:
			err = s.applyChanges()
		case <-s.answered:
		case <-beat.C:
			if s.awaited.Load() == 0 {
				s.awaited.Add(1)
				err = s.connection.Ping(neverDial)
			}
		case err = <-s.lost:
			s.lost <- err
			return err
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// applyChanges brings a batch of subscriptions in line with the topics.
func (s *session) applyChanges() error {
	var subscribe, unsubscribe []string
	s.mu.Lock()
	for channel := range s.stale {
		if len(subscribe)+len(unsubscribe) == subscribeBatch {
			hint(s.changed) // for the rest
			break
		}
		delete(s.stale, channel)
		topic, wanted := s.topics[channel], s.topics[channel] != nil
		_, subscribed := s.subscribed[channel]
		switch {
		case wanted && subscribed: // stopped and watched anew in between
			topic.enterIntoForce()
		case wanted:
			subscribe = append(subscribe, channel)
		case subscribed:
			unsubscribe = append(unsubscribe, channel)
		}
	}
	s.mu.Unlock()
	if err := s.subscribe(subscribe); err != nil {
		return err
	}
	return s.unsubscribe(unsubscribe)
}

func (s *session) subscribe(channels []string) error {
	if len(channels) == 0 {
		return nil
	}
	for _, channel := range channels {
		s.subscribed[channel] = struct{}{}
	}
	s.awaited.Add(int64(len(channels)))
	return s.connection.Subscribe(neverDial, channels...)
}

func (s *session) unsubscribe(channels []string) error {
	if len(channels) == 0 {
		return nil
	}
	for _, channel := range channels {
		delete(s.subscribed, channel)
	}
	s.awaited.Add(int64(len(channels)))
	return s.connection.Unsubscribe(neverDial, channels...)
}

// read passes hints on until the connection fails or is silent for too long.
// The first answer is the proof that the connection works.
func (s *session) read(worked *bool) error {
	for {
		message, err := s.connection.ReceiveTimeout(neverDial, s.silence)
		if err != nil {
			return err
		}
		*worked = true
		switch m := message.(type) {
		case *redis.Message:
			s.changedOn(m.Channel)
		case *redis.Subscription:
			if m.Kind == "subscribe" {
				s.inForceOn(m.Channel)
			}
			s.answer()
		case *redis.Pong:
			s.answer()
		}
	}
}

func (s *session) answer() {
	s.awaited.Add(-1)
	hint(s.answered)
}

// changedOn hints at everybody who watches the channel.
func (h *hints) changedOn(channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[channel]; t != nil {
		t.hint()
	}
}

// inForceOn notes that Redis has confirmed a subscription.
func (h *hints) inForceOn(channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[channel]; t != nil {
		t.enterIntoForce()
	}
}

// resubscribe has every topic subscribed on a new connection.
func (h *hints) resubscribe() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.stale)
	for channel := range h.topics {
		h.stale[channel] = struct{}{}
	}
	hint(h.changed)
}

// suspend notes that no watch is in force any more.
func (h *hints) suspend() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.topics {
		t.inForce = false
	}
}
