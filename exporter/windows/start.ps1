# Calls the LogVM again and again: qrexec-client-vm.exe returns at once and tells nobody of a refusal.
#
# A task that starts with Windows runs it (install.ps1).

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2

$state = "$PSScriptRoot\state"
[void] (New-Item -ItemType Directory -Force -Path $state)
$files = Get-ChildItem "$PSScriptRoot\*.cs" | ForEach-Object { $_.FullName }
Add-Type -Path $files -ReferencedAssemblies @('System.Core', 'System.Xml')
$pace = New-Object Logchain.Pace
$dice = New-Object Random
$places = $env:QUBES_TOOLS, "$env:ProgramFiles\Qubes Tools", "$env:ProgramFiles\Invisible Things Lab\Qubes Tools"
$client = $places | Where-Object { $_ } | ForEach-Object { "$_\bin\qrexec-client-vm.exe" } | Where-Object { Test-Path $_ } |
    Select-Object -First 1
if (-not $client) { throw 'qrexec-client-vm.exe is not here: are the Qubes Windows Tools installed?' }
# It cuts its raw command line at each | and takes quotes for part of a name. PowerShell puts quotes around what has a space.
$call = '@default|logchain.Append+eventlog|(null)|powershell.exe', '-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass',
    '-File', "$PSScriptRoot\export.ps1"

while ($true) {
    if (-not [Logchain.Program]::Runs($state)) {
        Remove-Item -Force -ErrorAction SilentlyContinue "$state\answered"
        & $client $call > $null # not 2>&1: with 'Stop', a word on standard error would end this script
        Start-Sleep -Seconds 30 # no exporter by then: refused, or no LogVM, or it ended already
    }
    while ([Logchain.Program]::Runs($state)) { Start-Sleep -Seconds 2 }
    $seconds = $pace.Next((Test-Path "$state\answered"), $dice.NextDouble())
    Start-Sleep -Seconds $seconds
}
