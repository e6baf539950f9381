// GraphiQL with the story of a sign-up in its tabs, and with subscriptions that
// outlive a change of tab, so that one tab can watch what another one does.
"use strict";

(() => {
  const { GraphiQL, GraphiQLPluginExplorer, React, ReactDOM, graphqlSse } = window;
  const { createElement: h, useEffect, useLayoutEffect, useReducer } = React;

  const container = document.getElementById("playground");
  const config = JSON.parse(container.dataset.config);
  const endpoint = new URL(config.graphQLPath, location.href);
  const webSocketEndpoint = new URL(endpoint);
  webSocketEndpoint.protocol = location.protocol === "https:" ? "wss:" : "ws:";

  const pretty = (value) => JSON.stringify(value, null, 2);
  const defaultHeaders = Object.keys(config.defaultHeaders).length ? pretty(config.defaultHeaders) : "";

  // ---- What is remembered between visits --------------------------------

  const tabsKey = "graphiql:tabState";
  const uniqueKey = "stepwise-playground:unique";
  const transportKey = "stepwise-playground:transport";

  const withoutHeaders = (json) => JSON.stringify(JSON.parse(json), (key, value) => (key === "headers" ? null : value));

  // GraphiQL's view of localStorage. Headers can hold a secret key: whatever
  // GraphiQL stores, its history included, is stored without them. The tabs are
  // written here but read by initialTabs, and never a second time by GraphiQL.
  const storage = {
    getItem: (key) => (isEditorState(key) ? null : localStorage.getItem(key)),
    setItem(key, value) {
      if (key === tabsKey || key === "graphiql:queries" || key === "graphiql:favorites") {
        localStorage.setItem(key, withoutHeaders(value));
      } else if (!isEditorState(key)) {
        localStorage.setItem(key, value);
      }
    },
    removeItem: (key) => localStorage.removeItem(key),
    get length() {
      return storageKeys().length;
    },
    clear: () => storageKeys().forEach((key) => localStorage.removeItem(key)),
  };

  function isEditorState(key) {
    return [tabsKey, "graphiql:query", "graphiql:variables", "graphiql:headers"].includes(key);
  }

  function storageKeys() {
    return Object.keys(localStorage).filter((key) => key.startsWith("graphiql:"));
  }

  // ---- The story --------------------------------------------------------

  // A word that no earlier visit has used, so that the address in the story is
  // free each time the page is loaded.
  function newUnique() {
    return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => (byte % 36).toString(36)).join("");
  }

  function storyTabs(story, unique) {
    return story.steps.map((step) => ({
      query: step.query.join("\n"),
      variables: step.variables ? pretty(step.variables).replaceAll("{unique}", unique) : null,
      headers: storyHeaders(step),
    }));
  }

  function storyHeaders(step) {
    return step.headers ? pretty({ ...config.defaultHeaders, ...step.headers }) : defaultHeaders || null;
  }

  // The tabs of the last visit, with a fresh word for the story's address and
  // with the headers that the story suggests, since those were not stored.
  function savedTabs(story, unique) {
    const state = savedState(unique);
    if (!state?.tabs?.length) return null;
    const headers = new Map(story.steps.map((step) => [operationName(step.query.join("\n")), storyHeaders(step)]));
    return {
      active: state.activeTabIndex,
      tabs: state.tabs.map(({ query, variables }) => ({
        query,
        variables,
        headers: headers.get(operationName(query ?? "")) ?? (defaultHeaders || null),
      })),
    };
  }

  function savedState(unique) {
    const saved = localStorage.getItem(tabsKey);
    const lastUnique = localStorage.getItem(uniqueKey);
    try {
      return JSON.parse(lastUnique && saved ? saved.replaceAll(lastUnique, unique) : saved);
    } catch {
      return null; // not ours: begin with the story
    }
  }

  function operationName(query) {
    return /^\s*(?:query|mutation|subscription)\s+(\w+)/m.exec(query)?.[1];
  }

  function initialTabs(story) {
    const unique = newUnique();
    const initial = savedTabs(story, unique) ?? { active: 0, tabs: storyTabs(story, unique) };
    localStorage.setItem(uniqueKey, unique);
    return initial;
  }

  function resetStory() {
    if (confirm("Replace all tabs with the story?")) {
      localStorage.removeItem(tabsKey);
      location.reload();
    }
  }

  // ---- Subscriptions ----------------------------------------------------

  // Subscriptions by the tab they were started in, at most one for each.
  const streams = new Map();
  const watchers = new Set();
  const announce = () => watchers.forEach((watcher) => watcher());

  // The id of the tab in front; kept by the Streams component.
  let activeTab = null;

  class Stream {
    constructor(tab, name, source) {
      Object.assign(this, { tab, name, source, state: "running", events: 0, trail: [], response: "", observer: null });
    }

    // GraphiQL's pane observes the stream while its tab is in front.
    subscribe(observer) {
      this.observer = observer;
      return { unsubscribe: () => this.detach() };
    }

    // GraphiQL unsubscribes when its stop button is pressed, but also just
    // before it changes the tab, and the latter must not end the stream.
    detach() {
      this.observer = null;
      setTimeout(() => (activeTab === this.tab ? this.stop() : announce()));
    }

    async follow() {
      try {
        for (let item = await this.source.next(); !item.done; item = await this.source.next()) {
          if (this.state !== "running") return;
          this.receive(item.value);
        }
        this.end("ended", (observer) => observer.complete());
      } catch (error) {
        this.response = formatError(error);
        this.end("failed", (observer) => observer.error(error));
      }
    }

    receive(result) {
      this.events += 1;
      this.response = pretty(result);
      const status = statusIn(result);
      if (status && status !== this.trail.at(-1)) this.trail.push(status);
      this.observer?.next(result);
      announce();
    }

    end(state, tell) {
      if (this.state !== "running") return;
      this.state = state;
      if (this.observer) tell(this.observer);
      announce();
    }

    stop() {
      if (this.state === "running") {
        this.state = "stopped";
        this.source.return();
      }
      streams.delete(this.tab);
      announce();
    }
  }

  function formatError(error) {
    const errors = Array.isArray(error) ? error : [{ message: error.message ?? String(error) }];
    return pretty({ errors });
  }

  function statusIn(result) {
    return Object.values(result.data ?? {}).find((field) => field?.status)?.status;
  }

  const requestHeaders = {
    // With the other media type a refused request has status 400, and browsers
    // write every such response to the console.
    accept: "application/json",
  };

  const libraryFetcher = GraphiQL.createFetcher({
    url: endpoint.href,
    headers: requestHeaders,
    subscriptionUrl: webSocketEndpoint.href, // the tab's headers become the connection_init payload
    enableIncrementalDelivery: false,
  });

  function openEventStream(request, headers) {
    const client = graphqlSse.createClient({ url: endpoint.href, headers, credentials: "same-origin", retryAttempts: 0 });
    return client.iterate(request);
  }

  function chosenTransport() {
    return document.querySelector("#transport input:checked").value;
  }

  // GraphiQL's own idea of the document and of the chosen operation lags a
  // little behind the text after a change of tab; the text decides.
  function operationsOf(query) {
    try {
      const documentAST = GraphiQL.GraphQL.parse(query);
      const operations = documentAST.definitions.filter((definition) => definition.kind === "OperationDefinition");
      return { documentAST, operations };
    } catch {
      return { operations: [] }; // the server's answer will say what is wrong
    }
  }

  async function fetcher(params, options = {}) {
    const { documentAST, operations } = operationsOf(params.query);
    const request = operations.length === 1 ? { ...params, operationName: operations[0].name?.value } : params;
    const operation = operations.find((candidate) => candidate.name?.value === request.operationName);
    if (operation?.operation !== "subscription") return libraryFetcher(request, options);

    streams.get(activeTab)?.stop();
    const source =
      chosenTransport() === "sse" ? openEventStream(request, options.headers) : await libraryFetcher(request, { ...options, documentAST });
    const stream = new Stream(activeTab, request.operationName ?? "Subscription", source);
    streams.set(activeTab, stream);
    stream.follow();
    return stream;
  }

  // ---- Components -------------------------------------------------------

  // Below the response: the subscriptions that GraphiQL itself does not show
  // any more, because their tab was left.
  function Streams({ startAt }) {
    const editors = GraphiQL.React.useEditorContext({ nonNull: true });
    const { tabs, activeTabIndex, changeTab, responseEditor, updateActiveTabValues } = editors;
    const ready = Boolean(editors.queryEditor && editors.variableEditor && editors.headerEditor && responseEditor);
    const [, redraw] = useReducer((count) => count + 1, 0);
    const tab = tabs[activeTabIndex].id;
    const own = streams.get(tab);
    const latest = own && !own.observer ? own.response : null;

    useEffect(() => {
      watchers.add(redraw);
      return () => watchers.delete(redraw);
    }, []);

    useEffect(() => {
      if (ready && startAt > 0) changeTab(startAt);
    }, [ready]);

    useLayoutEffect(() => {
      activeTab = tab;
    }, [tab]);

    useEffect(() => {
      const open = new Set(tabs.map(({ id }) => id));
      for (const stream of [...streams.values()]) {
        if (!open.has(stream.tab)) stream.stop();
      }
    }, [tabs]);

    // Back in the tab: show what arrived meanwhile, and what still arrives.
    useEffect(() => {
      if (!ready || !latest) return;
      responseEditor.setValue(latest);
      updateActiveTabValues({ response: latest });
    }, [ready, tab, latest]);

    const detached = [...streams.values()].filter((stream) => !stream.observer || stream.state !== "running");
    if (detached.length === 0) return null;
    return h(
      "ul",
      { className: "streams", "aria-label": "Subscriptions", "aria-live": "polite" },
      detached.map((stream) =>
        h(StreamLine, {
          key: stream.tab,
          stream,
          show: () => changeTab(tabs.findIndex(({ id }) => id === stream.tab)),
        }),
      ),
    );
  }

  function StreamLine({ stream, show }) {
    const count = stream.events === 1 ? "1 event" : `${stream.events} events`;
    return h(
      "li",
      { className: `stream stream-${stream.state}` },
      h("button", { type: "button", className: "stream-name", onClick: show }, stream.name),
      h("span", { className: "stream-trail" }, stream.trail.join(" → ")),
      h("span", { className: "stream-count" }, `${count}, ${stream.state}`),
      h(
        "button",
        { type: "button", className: "stream-stop", onClick: () => stream.stop() },
        stream.state === "running" ? "Stop" : "Dismiss",
      ),
    );
  }

  function Playground({ initial, plugins }) {
    const first = initial.tabs[0];
    return h(
      GraphiQL,
      {
        fetcher,
        storage,
        plugins,
        defaultTabs: initial.tabs,
        query: first.query ?? "",
        variables: first.variables ?? "",
        headers: first.headers ?? defaultHeaders,
        defaultHeaders,
        defaultEditorToolsVisibility: "variables",
        shouldPersistHeaders: false,
      },
      h(GraphiQL.Logo, null, " "),
      h(GraphiQL.Footer, null, h(Streams, { startAt: initial.active })),
    );
  }

  function rememberTransport() {
    const radios = document.querySelectorAll("#transport input");
    for (const radio of radios) {
      radio.checked = radio.value === (localStorage.getItem(transportKey) ?? "websocket");
      radio.addEventListener("change", () => localStorage.setItem(transportKey, chosenTransport()));
    }
  }

  async function start() {
    rememberTransport();
    document.getElementById("reset-story").addEventListener("click", resetStory);
    const story = await (await fetch(config.storyPath)).json();
    const plugins = [GraphiQLPluginExplorer.explorerPlugin()];
    ReactDOM.createRoot(container).render(h(Playground, { initial: initialTabs(story), plugins }));
  }

  start().catch((error) => {
    container.textContent = `The playground could not start: ${error.message}`;
  });
})();
