// One call of the collector: waits for its greeting, sends events, keeps the cursor.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Threading;

namespace Logchain
{
    /// <summary>The event log: the platform's edge.</summary>
    public interface ILogs
    {
        /// <summary>The time of an event, null if the log no longer has it. Throws IOException if the channel cannot be read.</summary>
        string TimeOf(string channel, long number);

        /// <summary>Hand over, in order, each event that comes behind one, from whatever thread; behind 0, all there are.</summary>
        void Follow(string channel, long number, Action<Happened> happened);
    }

    /// <summary>Sends what happens from the greeting on, until the call ends. Its patience is docs/spec/wire.md's.</summary>
    public sealed class Session
    {
        private const int BatchEvents = 500, BatchBytes = 1 << 20;
        private const long MostUnacknowledged = 20000; // lines: what has to be sent again at worst

        private readonly Stream down, up;
        private readonly ILogs logs;
        private readonly Slots slots;
        private readonly string host;
        private readonly Dictionary<string, HashSet<string>> channels; // and the event ids that are left out of each
        private readonly BlockingCollection<Happened> queue = new BlockingCollection<Happened>(1000);
        private readonly Incoming incoming = new Incoming(); // under `gate`, as are `ended` and `silence`
        private readonly object gate = new object();
        private string ended;
        private readonly Stopwatch silence = Stopwatch.StartNew(); // no wall clock: that may jump
        private Cursor cursor = new Cursor();
        private long sent;

        /// <summary>How long to wait for the greeting, and later for an `ok`.</summary>
        public TimeSpan GreetingPatience = TimeSpan.FromSeconds(20), Silence = TimeSpan.FromSeconds(90);

        public Session(Stream down, Stream up, ILogs logs, Slots slots, string host, Dictionary<string, HashSet<string>> channels)
        {
            this.down = down;
            this.up = up;
            this.logs = logs;
            this.slots = slots;
            this.host = host;
            this.channels = channels;
        }

        /// <summary>Serve the call to its end, which is a CallEnded. `answered` is called at the first line that is durable.</summary>
        public void Run(Action answered)
        {
            Start(Listen);
            Wait(() => incoming.Greeting != null, GreetingPatience, "no greeting came");
            Start(Watch);
            var lines = new List<byte[]>();
            Begin(lines);
            while (true)
            {
                Take(lines);
                if (lines.Count > 0 || cursor.Changed)
                    slots.Save(cursor.Text()); // the commit point: what is sent from here on can be told from the cursor
                Send(lines);
                if (Acknowledge() && answered != null)
                {
                    answered();
                    answered = null;
                }
                Wait(() => sent - incoming.Acknowledged < MostUnacknowledged, null, "");
            }
        }

        private void Begin(List<byte[]> lines)
        {
            string text = slots.Load();
            bool isNew = text == null;
            if (!isNew)
                cursor = Cursor.Read(text);
            List<KeyValuePair<string, string>> said = cursor.Resume(incoming.Greeting);
            foreach (string unsent in cursor.Unsent())
                lines.Add(Encoding.UTF8.GetBytes(unsent + "\n"));
            foreach (KeyValuePair<string, string> one in said)
                Say(one.Key, one.Value, "", null, lines);
            if (isNew && incoming.Greeting.Newest != "")
                Say("unknown", "there is no cursor here, but lines of this stream are stored: events may come twice", "", null, lines);
            foreach (string channel in channels.Keys)
                Follow(channel, lines);
        }

        private void Follow(string channel, List<byte[]> lines)
        {
            try
            {
                Place place = cursor.At(channel);
                string time = place == null ? null : logs.TimeOf(channel, place.Number);
                if (time != null && place.Time != "-" && time != place.Time)
                {
                    Renumbered(channel, lines);
                    time = null;
                }
                logs.Follow(channel, time == null ? 0 : place.Number, queue.Add);
            }
            catch (IOException error)
            {
                Say("gone", channel + " cannot be read: " + error.Message, "", null, lines);
            }
        }

        private void Take(List<byte[]> lines)
        {
            int bytes = 0;
            Happened happened;
            int patience = lines.Count > 0 ? 0 : 1000; // ms
            for (int events = 0; events < BatchEvents && bytes < BatchBytes && queue.TryTake(out happened, patience); events++)
            {
                patience = 0;
                long missing = cursor.Missing(happened);
                if (missing < 0)
                    Renumbered(happened.Channel, lines);
                else if (missing > 0)
                    Say("lost", missing + " events of " + happened.Channel + " before number " + happened.Number + " were not there any more",
                        happened.Channel, new Place(happened.Number - 1, "-"), lines);
                Line line = Line.Of(happened, host);
                bool isSent = !channels[happened.Channel].Contains(line.Id);
                cursor.Add(happened, isSent);
                if (isSent)
                    lines.Add(line.Bytes);
                bytes += line.Bytes.Length;
            }
        }

        private void Renumbered(string channel, List<byte[]> lines)
        {
            Say("gone", channel + " was cleared or replaced, its numbers begin anew: what was not stored by then is lost", channel, null, lines);
        }

        private void Say(string what, string words, string channel, Place place, List<byte[]> lines)
        {
            string text = Line.Own(host, what, words, DateTime.UtcNow);
            cursor.Say(text, channel, place);
            lines.Add(Encoding.UTF8.GetBytes(text + "\n"));
        }

        private void Send(List<byte[]> lines)
        {
            lock (gate)
                sent += lines.Count; // before: its `ok` may be faster than our return
            foreach (byte[] line in lines)
                up.Write(line, 0, line.Length);
            up.Flush();
            lines.Clear();
        }

        private bool Acknowledge()
        {
            lock (gate)
            {
                if (incoming.Acknowledged > sent)
                    throw new CallEnded("the collector acknowledged lines that were not sent");
                cursor.Acknowledge(incoming.Acknowledged);
                if (ended != null)
                    throw new CallEnded(ended);
                return incoming.Acknowledged > 0;
            }
        }

        private void Listen()
        {
            var untrustedData = new byte[4096];
            string words = "the call ended";
            try
            {
                int count;
                while ((count = down.Read(untrustedData, 0, untrustedData.Length)) > 0)
                    lock (gate)
                    {
                        incoming.Feed(untrustedData, count);
                        silence.Restart();
                        Monitor.PulseAll(gate);
                    }
            }
            catch (CallEnded error)
            {
                words = error.Message;
            }
            catch (IOException) { }
            lock (gate)
            {
                ended = words;
                Monitor.PulseAll(gate);
            }
        }

        // A collector that is dead may leave us in a write for ever: nothing but the end of the process helps. It gets a
        // second look, for after a suspend the `ok` may long be there.
        private void Watch()
        {
            int looks = 0;
            while (looks < 2)
            {
                Thread.Sleep(looks == 0 ? 1000 : 5000);
                lock (gate)
                    looks = ended != null || silence.Elapsed > Silence ? looks + 1 : 0;
            }
            Environment.Exit(3);
        }

        private void Wait(Func<bool> reached, TimeSpan? patience, string words)
        {
            Stopwatch waited = Stopwatch.StartNew();
            lock (gate)
                while (!reached())
                {
                    if (ended != null)
                        throw new CallEnded(ended);
                    if (waited.Elapsed > patience)
                        throw new CallEnded(words);
                    Monitor.Wait(gate, 1000);
                }
        }

        private static void Start(ThreadStart run)
        {
            var thread = new Thread(run);
            thread.IsBackground = true;
            thread.Start();
        }
    }
}
