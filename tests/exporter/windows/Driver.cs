// Runs the parts of the Windows exporter for the tests; an event log is a directory here, the rest is what Windows runs.
//
//     mono driver.exe lines            a row of standard input: number, channel, time, XML, message, in hexadecimal UTF-16
//     mono driver.exe wire             a row: the bytes of one read, in hexadecimal; "." begins anew
//     mono driver.exe pace             a row: 0 or 1, whether the call was answered
//     mono driver.exe serve LOGS STATE [CHANNEL[=ID,ID]…]

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using Logchain;

/// <summary>A channel is a file: number, time and XML, a row each; it grows, or is replaced.</summary>
internal sealed class FileLogs : ILogs
{
    private readonly string directory;

    public FileLogs(string directory)
    {
        this.directory = directory;
    }

    public string TimeOf(string channel, long number)
    {
        foreach (Happened happened in Events(channel, 0, 0).Value)
            if (happened.Number == number)
                return happened.Time;
        return null;
    }

    public void Follow(string channel, long number, Action<Happened> happened)
    {
        if (!File.Exists(Path.Combine(directory, channel)))
            throw new IOException("no such channel");
        new Thread(() => Watch(channel, number, happened)) { IsBackground = true }.Start();
    }

    private void Watch(string channel, long number, Action<Happened> happened)
    {
        bool behind = number == 0;
        for (long offset = 0; ; Thread.Sleep(5))
        {
            KeyValuePair<long, List<Happened>> more = Events(channel, offset, 200);
            if (more.Key < offset) // replaced
                behind = true;
            offset = more.Key;
            foreach (Happened one in more.Value)
                if (behind)
                    happened(one);
                else
                    behind = one.Number == number;
        }
    }

    private KeyValuePair<long, List<Happened>> Events(string channel, long offset, int most)
    {
        var events = new List<Happened>();
        string path = Path.Combine(directory, channel);
        if (!File.Exists(path))
            throw new IOException("no such channel");
        using (var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete))
        {
            if (file.Length < offset)
                offset = 0;
            file.Position = offset;
            var reader = new StreamReader(file, new UTF8Encoding(false));
            string all = reader.ReadToEnd();
            int at = 0, end;
            while ((end = all.IndexOf('\n', at)) >= 0 && (most == 0 || events.Count < most))
            {
                string[] fields = all.Substring(at, end - at).Split('\t');
                events.Add(new Happened { Channel = channel, Number = long.Parse(fields[0]), Time = fields[1], Xml = fields[2], Message = "" });
                offset += Encoding.UTF8.GetByteCount(all.Substring(at, end - at)) + 1;
                at = end + 1;
            }
        }
        return new KeyValuePair<long, List<Happened>>(offset, events);
    }
}

internal static class Driver
{
    private static int Main(string[] arguments)
    {
        switch (arguments[0])
        {
            case "lines": Lines(); return 0;
            case "wire": Wire(); return 0;
            case "pace": PaceRows(); return 0;
            default: return Serve(arguments);
        }
    }

    private static int Serve(string[] arguments)
    {
        var channels = new Dictionary<string, HashSet<string>>();
        for (int i = 3; i < arguments.Length; i++)
        {
            string[] parts = arguments[i].Split('=');
            channels[parts[0]] = new HashSet<string>(parts.Length == 1 ? new string[0] : parts[1].Split(','));
        }
        return Program.Serve(new FileLogs(arguments[1]), arguments[2], "win10", channels);
    }

    private static void Lines()
    {
        Stream output = Console.OpenStandardOutput();
        string row;
        while ((row = Console.In.ReadLine()) != null)
        {
            string[] fields = Array.ConvertAll(row.Split(' '), Utf16);
            var happened = new Happened
            {
                Number = long.Parse(fields[0]), Channel = fields[1], Time = fields[2], Xml = fields[3], Message = fields[4],
            };
            byte[] line = Line.Of(happened, "win10").Bytes;
            output.Write(line, 0, line.Length);
        }
    }

    private static void Wire()
    {
        var incoming = new Incoming();
        string row;
        while ((row = Console.In.ReadLine()) != null)
        {
            if (row == ".")
            {
                incoming = new Incoming();
                Console.WriteLine(".");
                continue;
            }
            try
            {
                byte[] data = Bytes(row);
                incoming.Feed(data, data.Length);
                string resume = incoming.Greeting == null ? "-" : incoming.Greeting.Session + " "
                    + string.Join(",", incoming.Greeting.Resume.ConvertAll(one => one.Key + ":" + one.Value).ToArray());
                Console.WriteLine("heard " + incoming.Acknowledged + " " + resume);
            }
            catch (CallEnded error)
            {
                Console.WriteLine("ended " + error.Message);
            }
        }
    }

    private static void PaceRows()
    {
        var pace = new Pace();
        string row;
        while ((row = Console.In.ReadLine()) != null)
            Console.WriteLine(pace.Next(row == "1", 0.5).ToString(CultureInfo.InvariantCulture));
    }

    private static string Utf16(string hex)
    {
        byte[] bytes = Bytes(hex);
        var text = new StringBuilder();
        for (int i = 0; i < bytes.Length; i += 2)
            text.Append((char)(bytes[i] << 8 | bytes[i + 1]));
        return text.ToString();
    }

    private static byte[] Bytes(string hex)
    {
        var bytes = new byte[hex.Length / 2];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = byte.Parse(hex.Substring(2 * i, 2), NumberStyles.AllowHexSpecifier);
        return bytes;
    }
}
