// One call, from the lock to the exit code; and how long to wait before the next.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace Logchain
{
    /// <summary>What export.ps1 runs.</summary>
    public static class Program
    {
        /// <summary>Serve one call on standard input and output; return the exit code: 3 when it ended, 2 when another one runs.</summary>
        public static int Serve(ILogs logs, string state, string host, Dictionary<string, HashSet<string>> channels)
        {
            Directory.CreateDirectory(state);
            string trouble;
            try
            {
                using (var held = new FileStream(Path.Combine(state, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite))
                {
                    held.Lock(0, 1);
                    Stream down = Console.OpenStandardInput(), up = Console.OpenStandardOutput();
                    var session = new Session(down, up, logs, new Slots(state), host, channels);
                    try
                    {
                        session.Run(() => Note(state, "answered", "a line is durable"));
                        return 3; // it never comes to that
                    }
                    catch (CallEnded error) { trouble = error.Message; }
                    catch (IOException error) { trouble = error.Message; }
                    catch (FormatException error) { trouble = "the cursor: " + error.Message; }
                }
            }
            catch (IOException)
            {
                return 2; // another one holds the lock
            }
            Note(state, "trouble", trouble);
            return 3;
        }

        /// <summary>Whether an exporter runs.</summary>
        public static bool Runs(string state)
        {
            try
            {
                using (var free = new FileStream(Path.Combine(state, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite))
                    free.Lock(0, 1);
                return false;
            }
            catch (IOException)
            {
                return true;
            }
        }

        /// <summary>Leave one line for whoever looks, with the time.</summary>
        public static void Note(string state, string name, string words)
        {
            string time = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            var bytes = new List<byte>();
            Line.Escape(words, false, bytes);
            File.WriteAllText(Path.Combine(state, name), time + " " + Encoding.UTF8.GetString(bytes.ToArray()) + "\n", new UTF8Encoding(false));
        }
    }

    /// <summary>How long to wait before the next call: nobody tells us whether the policy refuses or the LogVM is off.</summary>
    public sealed class Pace
    {
        private int failed;

        /// <summary>Seconds, after a call that got a line stored, or did not; `random` lies between 0 and 1.</summary>
        public double Next(bool answered, double random)
        {
            failed = answered ? 0 : Math.Min(failed + 1, 6);
            return (answered ? 1 : Math.Min(180, 5 << failed)) * (0.75 + 0.5 * random);
        }
    }
}
