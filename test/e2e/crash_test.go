package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"stepwise/internal/realtest"
)

const (
	ordinaryRounds = 20
	campaignRounds = 1000
	// busyClients complete sign-ups side by side until the program is killed.
	busyClients = 4
)

// TestKilled kills the program again and again while sign-ups complete. After
// each start every completion that was acknowledged is there, every one that was
// not can be finished by its client, and there are no half users.
//
// With CAMPAIGN=1 it does a thousand rounds, counted in .campaign, so that it can
// be interrupted and taken up again.
func TestKilled(t *testing.T) {
	t.Parallel()
	combination := embedded
	if realtest.Wanted() {
		combination = redisPostgres
	}
	env := combination.env(t)
	settings := filepath.Join(t.TempDir(), "settings.json")
	// Without a password most of the time goes into conversions.
	if err := os.WriteFile(settings, []byte(`{"testMode": true, "password": {"enabled": false, "required": false}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	server := realtest.Program(t, realtest.ProgramOptions{Env: with(env, "SETTINGS_FILE", settings)})
	database := env["DATABASE_URL"]
	if database == "" {
		database = filepath.Join(server.DataDir, "stepwise.db")
	}
	rounds, done := killRounds(t, combination.name)
	c := &crashes{server: server, database: database, keepsAttempts: combination.keepsAttempts}
	first := done
	for ; done < rounds && !t.Failed(); done++ {
		c.round(t)
		noteRound(t, combination.name, done+1)
	}
	t.Logf("%d rounds: %d completions acknowledged, %d of %d interrupted ones finished later, %v",
		done-first, len(c.acknowledged), c.finished, c.interrupted, count(t, database))
	if len(c.acknowledged) == 0 {
		t.Error("no completion was acknowledged: the program was killed too early")
	}
}

// campaignFile holds the number of rounds done in a campaign.
func campaignFile(name string) string {
	return filepath.Join("..", "..", ".campaign", "e2e-killed-"+strings.ReplaceAll(name, "+", "-"))
}

// killRounds returns how many rounds to do in all, and how many are done.
func killRounds(t testing.TB, name string) (rounds, done int) {
	t.Helper()
	if os.Getenv("CAMPAIGN") == "" {
		return ordinaryRounds, 0
	}
	text, err := os.ReadFile(campaignFile(name))
	if errors.Is(err, os.ErrNotExist) {
		return campaignRounds, 0
	}
	if err == nil {
		done, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		t.Fatalf("rounds done so far: %v", err)
	}
	if done >= campaignRounds {
		done = 0 // a new campaign
	}
	return campaignRounds, done
}

func noteRound(t testing.TB, name string, done int) {
	t.Helper()
	if os.Getenv("CAMPAIGN") == "" {
		return
	}
	path := campaignFile(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(done)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// crashes is the campaign against one server.
type crashes struct {
	server        *realtest.ServerProgram
	database      string
	keepsAttempts bool

	mu                    sync.Mutex
	acknowledged          []completion
	pending               []pendingCall
	interrupted, finished int
}

// completion is what the client was told.
type completion struct{ attempt, user, session, email string }

// pendingCall is the call that completes, without an answer.
type pendingCall struct {
	client *client
	email  string
}

// round lets clients complete sign-ups, kills the program in the middle, starts
// it again, and looks.
func (c *crashes) round(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range busyClients {
		clients.Go(func() { c.completeUntil(ctx, t) })
	}
	// What is hit depends on the moment, whatever it is.
	time.Sleep(50*time.Millisecond + rand.N(150*time.Millisecond))
	c.server.Kill()
	stop()
	clients.Wait()
	c.server.Restart()
	c.finishPending(t)
	c.verify(t)
}

// completeUntil takes new clients through sign-ups until the program is gone.
func (c *crashes) completeUntil(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		visitor := newClient(t, c.server)
		email := "k" + randomHex(8) + "+test@example.com"
		if _, err := visitor.tryCreate(map[string]any{
			"emailAddress": email, "startVerifications": []any{map[string]any{"strategy": "EMAIL_CODE"}},
		}); err != nil {
			return
		}
		final := visitor.clone()
		o, err := final.tryCheck("emailCode", "424242")
		c.mu.Lock()
		switch {
		case err != nil:
			c.interrupted++
			c.pending = append(c.pending, pendingCall{visitor, email})
		case o.complete():
			c.acknowledged = append(c.acknowledged, completion{o.SignUp.ID, o.SignUp.CreatedUserID, o.SignUp.CreatedSessionID, email})
		default:
			t.Errorf("%s: neither complete nor an error: %+v %v", email, o.SignUp, o.errorCodes())
		}
		c.mu.Unlock()
		visitor.http.CloseIdleConnections()
		if err != nil {
			return
		}
	}
}

// finishPending makes the unanswered calls again, as their clients would. Sign-ups
// in the embedded store are gone; others must come to their end.
func (c *crashes) finishPending(t *testing.T) {
	t.Helper()
	for _, p := range c.pending {
		o, err := p.client.tryCheck("emailCode", "424242")
		switch {
		case err == nil && o.complete():
			c.finished++
			c.acknowledged = append(c.acknowledged, completion{o.SignUp.ID, o.SignUp.CreatedUserID, o.SignUp.CreatedSessionID, p.email})
		case !c.keepsAttempts:
		default:
			t.Errorf("%s: the unanswered call made again: %v %v; want COMPLETE", p.email, o.errorCodes(), err)
		}
	}
	c.pending = nil
}

// verify looks into the database for everything that was acknowledged so far.
func (c *crashes) verify(t *testing.T) {
	t.Helper()
	got := count(t, c.database)
	if got.orphans != 0 || got.users != got.sessions || got.users != got.conversions || got.users != got.identifiers {
		t.Errorf("half users: %+v", got)
	}
	if len(c.acknowledged) > got.users || got.users > len(c.acknowledged)+c.interrupted {
		t.Errorf("%d users for %d acknowledged and %d interrupted completions", got.users, len(c.acknowledged), c.interrupted)
	}
	db := openDatabase(t, c.database)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `
		SELECT v.attempt_id, v.user_id, v.session_id, i.norm FROM conversions v
		JOIN users u ON u.id = v.user_id JOIN sessions s ON s.id = v.session_id AND s.user_id = u.id
		JOIN identifiers i ON i.user_id = u.id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	stored := map[completion]bool{}
	for rows.Next() {
		var row completion
		if err := rows.Scan(&row.attempt, &row.user, &row.session, &row.email); err != nil {
			t.Fatal(err)
		}
		stored[row] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, told := range c.acknowledged {
		if !stored[told] {
			t.Errorf("acknowledged and not there: %+v", told)
		}
	}
}
