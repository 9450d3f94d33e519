// The page with a server: what it asks for goes through two of Dash's stores, one at a time.
(() => {
  const answers = new Map();
  let waiting = null;
  let turn = Promise.resolve();

  function ask(question) {
    const key = JSON.stringify(question);
    if (!answers.has(key)) {
      const answer = turn.then(() => new Promise((resolve) => {
        waiting = { key, resolve };
        window.dash_clientside.set_props("question", { data: { ...question, key } });
      }));
      turn = answer;
      answers.set(key, answer);
    }
    return answers.get(key);
  }

  window.dash_clientside = Object.assign(window.dash_clientside ?? {}, {
    gengap: {
      start(page) {
        window.gengap.start(page, {
          column: (measure, component) => ask({ measure, component }),
          network: (network) => ask({ network }),
        });
      },
      answer(answer) {
        if (waiting?.key === answer?.key) waiting.resolve(answer.content);
      },
    },
  });
})();
