// Preloaded into the demo: its clock goes where the parent process says, as milliseconds from the present.
let distance = 0;
const { now } = Date;

globalThis.Date = class extends Date {
  constructor(...given) {
    super(...(given.length === 0 ? [now() + distance] : given));
  }

  static now() {
    return now() + distance;
  }
};

process.on('message', (milliseconds) => {
  distance = milliseconds;
  process.send('moved');
});
process.channel.unref(); // the demo ends as it would without
